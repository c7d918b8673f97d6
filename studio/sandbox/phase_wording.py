"""The sentences of the later phases: what a visitor, a subscriber and a founder read, in English and German."""

from __future__ import annotations

from typing import Literal

PHASE_PHRASES: dict[str, dict[Literal["en", "de"], str]] = {
    # --- landing page
    "cta": {"en": "Join the waitlist", "de": "Auf die Warteliste"},
    "headline_open": {"en": "An idea in the making: {idea}", "de": "Eine Idee entsteht: {idea}"},
    "sub_made_for": {"en": "Made for {audience}.", "de": "Gemacht für {audience}."},
    "sub_early": {
        "en": "It is early: leave your address and hear when there is something to try.",
        "de": "Es ist noch früh: Hinterlassen Sie Ihre Adresse und erfahren Sie, wann es etwas zu probieren gibt.",
    },
    "section_does": {"en": "What it does", "de": "Was es tut"},
    "section_who": {"en": "Who it is for", "de": "Für wen es ist"},
    "section_today": {"en": "What is wrong today", "de": "Was heute fehlt"},
    "section_cost": {"en": "What it will cost", "de": "Was es kosten wird"},
    "section_now": {"en": "Where it stands", "de": "Wo es steht"},
    "section_next": {"en": "What happens next", "de": "Wie es weitergeht"},
    "section_promise": {"en": "What your address is used for", "de": "Wofür Ihre Adresse da ist"},
    "body_who_named": {
        "en": "It is for {audience}. If that is you, your address tells us that it is worth building.",
        "de": "Es ist für {audience}. Wenn Sie dazugehören, zeigt uns Ihre Adresse, dass es sich zu bauen lohnt.",
    },
    "body_does_open": {
        "en": "In the founders' own words: {idea}",
        "de": "In den Worten des Gründerteams: {idea}",
    },
    "body_now": {
        "en": "Nothing is on sale yet. The first version is being planned, and who joins now is asked first.",
        "de": "Noch ist nichts zu kaufen. Die erste Fassung wird geplant, und wer jetzt dabei ist, wird zuerst "
        "gefragt.",
    },
    "body_next": {
        "en": "You get one mail to confirm your address. After that you hear from us when there is something to try.",
        "de": "Sie erhalten eine Mail, um Ihre Adresse zu bestätigen. Danach hören Sie von uns, wenn es etwas zu "
        "probieren gibt.",
    },
    "body_promise": {
        "en": "For news about this project, and for nothing else. Every mail has a link with which you leave the list.",
        "de": "Für Neuigkeiten zu diesem Projekt und für nichts sonst. Jede Mail enthält einen Link zum Abmelden.",
    },
    "note_read": {
        "en": "Read every sentence aloud once: the sandbox model has only rearranged the founder's words.",
        "de": "Jeden Satz einmal laut lesen: Das Sandbox-Modell hat nur die Worte aus dem Gründerteam geordnet.",
    },
    "note_reply": {
        "en": "Decide who answers when somebody replies to the first mail.",
        "de": "Festlegen, wer antwortet, wenn jemand auf die erste Mail schreibt.",
    },
    "note_form": {
        "en": "Join the waitlist once yourself and confirm the address, before anybody else does.",
        "de": "Sich selbst einmal eintragen und die Adresse bestätigen, bevor es andere tun.",
    },
    # --- brand
    "voice_people": {
        "en": "Plain and warm: speak to {audience} as one of them would, in short sentences without superlatives.",
        "de": "Klar und warm: zu {audience} sprechen, wie es jemand von ihnen täte, in kurzen Sätzen ohne Superlative.",
    },
    "voice_plain": {
        "en": "Plain and calm: short sentences, no superlatives, no promise that cannot be kept.",
        "de": "Klar und ruhig: kurze Sätze, keine Superlative, kein Versprechen, das sich nicht halten lässt.",
    },
    "logo": {
        "en": "A wordmark in the heading font with one simple sign that suggests {motif}; two colours of the "
        "palette, no "
        "gradient, readable at 16 pixels.",
        "de": "Eine Wortmarke in der Überschriftenschrift mit einem einfachen Zeichen für {motif}; zwei Farben der "
        "Palette, kein Verlauf, lesbar bei 16 Pixeln.",
    },
    "role_background": {"en": "background", "de": "Hintergrund"},
    "role_text": {"en": "text", "de": "Text"},
    "role_accent": {"en": "accent", "de": "Akzent"},
    "role_second": {"en": "second accent", "de": "zweiter Akzent"},
    "role_surface": {"en": "surface", "de": "Fläche"},
    # --- waitlist and analytics
    "capture": {
        "en": "The studio's own form on the landing page, with double opt-in",
        "de": "Das Formular des Studios auf der Seite, mit doppelter Bestätigung",
    },
    "field_email": {"en": "Email address", "de": "E-Mail-Adresse"},
    "field_name": {"en": "Name (optional)", "de": "Name (freiwillig)"},
    "conversion": {
        "en": "Not set: no visit has been measured yet. Set it from the first hundred visits.",
        "de": "Nicht gesetzt: Es ist noch kein Besuch gemessen. Nach den ersten hundert Besuchen festlegen.",
    },
    "analytics": {"en": "The studio's own counts, without cookies", "de": "Eigene Zählung des Studios, ohne Cookies"},
    "view_week": {"en": "Visits and confirmed addresses by week", "de": "Besuche und bestätigte Adressen je Woche"},
    "view_sequence": {"en": "Mails sent, bounced and left", "de": "Mails: gesendet, zurückgekommen, abgemeldet"},
    # --- mails
    "mail0_subject": {"en": "You are on the list: {idea}", "de": "Sie stehen auf der Liste: {idea}"},
    "mail0_goal": {
        "en": "Say what somebody has signed up for, and what happens next.",
        "de": "Sagen, wofür sich jemand eingetragen hat und was als Nächstes kommt.",
    },
    "mail0_thanks": {
        "en": "Thank you for confirming your address. This is what you have signed up for:",
        "de": "Danke, dass Sie Ihre Adresse bestätigt haben. Dafür haben Sie sich eingetragen:",
    },
    "mail0_next": {
        "en": "You will hear from us when there is something to try, and once or twice before that with a question.",
        "de": "Sie hören von uns, wenn es etwas zu probieren gibt, und vorher ein- oder zweimal mit einer Frage.",
    },
    "mail1_subject": {"en": "One question before we build", "de": "Eine Frage, bevor wir bauen"},
    "mail1_goal": {
        "en": "Learn how subscribers manage today; replies go to the founder.",
        "de": "Erfahren, wie sie es heute machen; Antworten gehen an das Gründerteam.",
    },
    "mail1_ask": {
        "en": "How do you manage today, and what does it cost you in time or money? One sentence is enough: just "
        "reply.",
        "de": "Wie machen Sie es heute, und was kostet es Sie an Zeit oder Geld? Ein Satz genügt: einfach antworten.",
    },
    "mail1_why": {
        "en": "We ask because it decides what the first version does.",
        "de": "Wir fragen, weil davon abhängt, was die erste Fassung tut.",
    },
    "mail1_problem": {"en": "What we have heard so far: {problem}", "de": "Was wir bisher gehört haben: {problem}"},
    "mail2_subject": {"en": "What the first version will do", "de": "Was die erste Fassung tun wird"},
    "mail2_goal": {
        "en": "Show the plan, and find those who want to try it first.",
        "de": "Den Plan zeigen und finden, wer ihn zuerst ausprobieren will.",
    },
    "mail2_plan": {"en": "This is what we plan for the first version:", "de": "Das planen wir für die erste Fassung:"},
    "mail2_try": {
        "en": "If you want to be among the first to try it, reply with the word “try”.",
        "de": "Wenn Sie zu den Ersten gehören wollen, antworten Sie mit dem Wort „probieren“.",
    },
    # --- social
    "social_direct": {"en": "Direct conversations with {audience}", "de": "Direkte Gespräche mit {audience}"},
    "social_direct_open": {
        "en": "Direct conversations with people who have the problem",
        "de": "Direkte Gespräche mit Menschen, die das Problem haben",
    },
    "social_places": {
        "en": "The groups and places where {audience} already talk; which ones is to be found out",
        "de": "Gruppen und Orte, an denen {audience} schon reden; welche, ist herauszufinden",
    },
    "social_places_open": {
        "en": "Groups and places where the problem is talked about; which ones is to be found out",
        "de": "Gruppen und Orte, an denen über das Problem geredet wird; welche, ist herauszufinden",
    },
    "social_note": {"en": "A public note on what was learned", "de": "Eine öffentliche Notiz über das Gelernte"},
    "pillar_problem": {"en": "The problem, in their words: {problem}", "de": "Das Problem, in ihren Worten: {problem}"},
    "pillar_problem_open": {
        "en": "The problem: what people do today instead",
        "de": "Das Problem: was Menschen heute stattdessen tun",
    },
    "pillar_making": {"en": "How it is made: {feature}", "de": "Wie es entsteht: {feature}"},
    "pillar_making_open": {"en": "How it is made, step by step", "de": "Wie es entsteht, Schritt für Schritt"},
    "pillar_learned": {
        "en": "What was learned from those who joined, numbers included",
        "de": "Was von den Ersten zu lernen war, mit Zahlen",
    },
    "cadence": {
        "en": "One post a week, for as long as one person keeps it up without neglecting replies",
        "de": "Ein Beitrag pro Woche, solange eine Person das schafft, ohne Antworten liegen zu lassen",
    },
    # --- verdicts
    "summary1": {
        "en": "Phase 1 puts the idea in front of people: a landing page that says {idea}, a waitlist with double "
        "opt-in and "
        "three mails. All words are the founder's own, rearranged by the sandbox model.",
        "de": "Phase 1 stellt die Idee vor: eine Seite mit {idea}, eine Warteliste mit doppelter Bestätigung und drei "
        "Mails. Alle Worte stammen aus dem Gründerteam, geordnet vom Sandbox-Modell.",
    },
    "summary2": {
        "en": "Phase 2 brings {idea} to people without buying attention first: conversations, the waitlist, and one "
        "experiment a week. Written by the sandbox model from the project's own words.",
        "de": "Phase 2 bringt {idea} zu Menschen, ohne zuerst Aufmerksamkeit zu kaufen: Gespräche, die Warteliste "
        "und ein "
        "Experiment pro Woche. Vom Sandbox-Modell aus den Worten des Projekts.",
    },
    "summary3": {
        "en": "Phase 3 plans the way of {idea} to a first live version: what it is made of, how it is tested, and "
        "how to "
        "go back. Written by the sandbox model from the project's own words.",
        "de": "Phase 3 plant den Weg von {idea} zu einer ersten laufenden Fassung: woraus sie besteht, wie sie geprüft "
        "wird und wie man zurückkommt. Vom Sandbox-Modell aus den Worten des Projekts.",
    },
    "traffic_none": {
        "en": "No visit has been measured yet, so nothing here rests on numbers.",
        "de": "Es ist noch kein Besuch gemessen; nichts hier beruht auf Zahlen.",
    },
    "traffic_some": {
        "en": "Measured in the last 30 days: {traffic} visits, {leads} confirmed addresses.",
        "de": "Gemessen in den letzten 30 Tagen: {traffic} Besuche, {leads} bestätigte Adressen.",
    },
    "next_publish": {
        "en": "Look at the draft of the landing page and approve its publication if every sentence is true.",
        "de": "Den Entwurf der Seite ansehen und freigeben, wenn jeder Satz stimmt.",
    },
    "next_invite": {
        "en": "Send the page to five people by hand and watch what they ask.",
        "de": "Die Seite fünf Menschen persönlich schicken und sehen, was sie fragen.",
    },
    "next_channels": {
        "en": "Find two places where {audience} already talk, and read there for a week before posting.",
        "de": "Zwei Orte finden, an denen {audience} schon reden, und dort eine Woche lesen, bevor etwas gepostet "
        "wird.",
    },
    "next_build": {
        "en": "Build only the first milestone, and let three people from the list use it.",
        "de": "Nur den ersten Meilenstein bauen und drei Menschen von der Liste damit arbeiten lassen.",
    },
    "do_publish": {
        "en": "Publish the approved draft of the landing page.",
        "de": "Den freigegebenen Entwurf der Seite veröffentlichen.",
    },
    "why_publish": {
        "en": "Without a page nobody can join, and nothing can be measured.",
        "de": "Ohne Seite kann niemand beitreten und nichts gemessen werden.",
    },
    "do_welcome": {
        "en": "Send the three welcome mails to those who have confirmed their address.",
        "de": "Die drei Begrüßungsmails an bestätigte Adressen senden.",
    },
    "why_welcome": {
        "en": "Who joins should hear from the project while the interest is fresh.",
        "de": "Wer beitritt, soll vom Projekt hören, solange das Interesse frisch ist.",
    },
    "do_lifecycle": {
        "en": "Send the first lifecycle mail to confirmed addresses.",
        "de": "Die erste Mail der Reihe an bestätigte Adressen senden.",
    },
    "why_lifecycle": {
        "en": "Replies show what keeps people interested.",
        "de": "Antworten zeigen, was das Interesse hält.",
    },
    "do_ads": {
        "en": "Prepare a campaign, paused, within the daily cap.",
        "de": "Eine Kampagne vorbereiten, angehalten, innerhalb der Tagesgrenze.",
    },
    "why_ads": {
        "en": "It shows whether strangers understand the page; a person starts it.",
        "de": "Sie zeigt, ob Fremde die Seite verstehen; gestartet wird sie von einem Menschen.",
    },
    "do_repo": {
        "en": "Start the launch workflow in the repository.",
        "de": "Den Start-Workflow im Repository auslösen.",
    },
    "why_repo": {
        "en": "The checklist runs where the code is, under its own review.",
        "de": "Die Checkliste läuft dort, wo der Code ist, mit dessen eigener Prüfung.",
    },
    "do_deploy": {"en": "Trigger the deploy hook.", "de": "Den Deploy-Hook auslösen."},
    "why_deploy": {
        "en": "Only after every point of the checklist is ticked.",
        "de": "Erst, wenn jeder Punkt der Checkliste erledigt ist.",
    },
    # --- phase 2
    "north_star": {"en": "Confirmed addresses per week", "de": "Bestätigte Adressen pro Woche"},
    "goal_direct": {
        "en": "Ten conversations; write down each reason for and against.",
        "de": "Zehn Gespräche; jeden Grund dafür und dagegen aufschreiben.",
    },
    "goal_places": {
        "en": "Answer questions where they are asked; mention the page only where it helps.",
        "de": "Fragen beantworten, wo sie gestellt werden; die Seite nur nennen, wo sie hilft.",
    },
    "goal_waitlist": {
        "en": "Ask those on the list to forward the mail to one person who has the same problem.",
        "de": "Die auf der Liste bitten, die Mail einer Person mit demselben Problem weiterzuleiten.",
    },
    "channel_waitlist": {"en": "The waitlist itself", "de": "Die Warteliste selbst"},
    "audience_open": {
        "en": "Not named yet: to be found in conversations",
        "de": "Noch nicht benannt: in Gesprächen zu finden",
    },
    "angle_feature": {"en": "Show the one thing it does: {feature}", "de": "Das eine zeigen, was es tut: {feature}"},
    "angle_problem": {"en": "Begin with the problem: {problem}", "de": "Mit dem Problem beginnen: {problem}"},
    "angle_idea": {"en": "Say the idea in one sentence: {idea}", "de": "Die Idee in einem Satz sagen: {idea}"},
    "angle_ask": {
        "en": "Ask instead of claiming: how do you manage today?",
        "de": "Fragen statt behaupten: Wie machen Sie es heute?",
    },
    "kill_switch": {
        "en": "Pause at the daily cap, and after three days without a confirmed address.",
        "de": "Anhalten an der Tagesgrenze und nach drei Tagen ohne bestätigte Adresse.",
    },
    "sequence_type": {
        "en": "Personal messages, one at a time, each written for its reader",
        "de": "Persönliche Nachrichten, eine nach der anderen, jede für ihren Leser geschrieben",
    },
    "journey_joined": {
        "en": "Joined and confirmed: welcome, question, plan",
        "de": "Eingetragen und bestätigt: Begrüßung, Frage, Plan",
    },
    "journey_quiet": {
        "en": "Quiet for a month: one question whether it is still of interest, then silence",
        "de": "Einen Monat still: eine Frage, ob es noch interessiert, dann Ruhe",
    },
    "send_window": {
        "en": "Tuesday to Thursday, 09:00 to 17:00 of the project's time zone",
        "de": "Dienstag bis Donnerstag, 9 bis 17 Uhr in der Zeitzone des Projekts",
    },
    "life_subject": {"en": "What we have learned so far", "de": "Was wir bisher gelernt haben"},
    "life_goal": {
        "en": "Tell the list truthfully where the project stands, and ask for one thing.",
        "de": "Der Liste ehrlich sagen, wo das Projekt steht, und um eines bitten.",
    },
    "life_now": {
        "en": "You are on the list for {idea}. This is where it stands: the first version is being planned, and your "
        "replies decide what goes into it.",
        "de": "Sie stehen auf der Liste für {idea}. Der Stand: Die erste Fassung wird geplant, und Ihre Antworten "
        "entscheiden, was hineinkommt.",
    },
    "life_ask": {
        "en": "Do you know one person who has the same problem? Forwarding this mail helps more than anything else.",
        "de": "Kennen Sie eine Person mit demselben Problem? Diese Mail weiterzuleiten hilft mehr als alles andere.",
    },
    "exp_headline": {
        "en": "Two headlines, one week each; keep the one with more confirmed addresses per hundred visits.",
        "de": "Zwei Überschriften, je eine Woche; die mit mehr bestätigten Adressen je hundert Besuche bleibt.",
    },
    "exp_price": {
        "en": "Name a price in ten conversations and note what people say before they answer.",
        "de": "In zehn Gesprächen einen Preis nennen und notieren, was vor der Antwort gesagt wird.",
    },
    "exp_hand": {
        "en": "Do the core by hand for three people, and count the hours.",
        "de": "Den Kern für drei Menschen von Hand leisten und die Stunden zählen.",
    },
    "guard_cap": {
        "en": "No money is spent above the cap, and none without an approval.",
        "de": "Kein Geld über der Grenze und keines ohne Freigabe.",
    },
    "guard_mail": {
        "en": "Mail goes to confirmed addresses only; who leaves is never written to again.",
        "de": "Mails nur an bestätigte Adressen; wer sich abmeldet, bekommt nie wieder eine.",
    },
    "guard_true": {
        "en": "No claim, number or quotation that the project cannot show.",
        "de": "Keine Behauptung, Zahl oder Stimme, die das Projekt nicht belegen kann.",
    },
    # --- phase 3
    "part_page": {"en": "The landing page with its waitlist", "de": "Die Seite mit ihrer Warteliste"},
    "part_core": {"en": "The core: {feature}", "de": "Der Kern: {feature}"},
    "part_core_open": {"en": "The core of {idea}", "de": "Der Kern von {idea}"},
    "part_data": {
        "en": "A database for those who use it, with backups that have been restored once",
        "de": "Eine Datenbank für die, die es nutzen, mit Sicherungen, die einmal zurückgespielt wurden",
    },
    "part_signin": {"en": "Sign-in for those who were invited", "de": "Anmeldung für die Eingeladenen"},
    "dep_mail": {
        "en": "A mail provider that delivers confirmations",
        "de": "Ein Maildienst, der Bestätigungen zustellt",
    },
    "dep_host": {"en": "A host for page and database", "de": "Ein Anbieter für Seite und Datenbank"},
    "ms_hand": {"en": "By hand", "de": "Von Hand"},
    "ms_hand_exit": {
        "en": "Three people from the list have had the core done for them by hand, and two want it again.",
        "de": "Für drei Menschen von der Liste wurde der Kern von Hand geleistet, und zwei wollen es wieder.",
    },
    "ms_first": {"en": "First version", "de": "Erste Fassung"},
    "ms_first_exit": {
        "en": "One person uses it from beginning to end without help.",
        "de": "Eine Person nutzt sie ohne Hilfe von Anfang bis Ende.",
    },
    "ms_open": {"en": "Open to the list", "de": "Offen für die Liste"},
    "ms_open_exit": {
        "en": "Everybody on the list is invited, and the rollback has been rehearsed.",
        "de": "Alle auf der Liste sind eingeladen, und das Zurückrollen ist geübt.",
    },
    "founder": {"en": "Founder", "de": "Gründerteam"},
    "suite_core": {
        "en": "The core from beginning to end, in a browser",
        "de": "Der Kern von Anfang bis Ende, im Browser",
    },
    "suite_form": {"en": "Waitlist: join, confirm, leave", "de": "Warteliste: eintragen, bestätigen, abmelden"},
    "suite_data": {"en": "Backup and restore", "de": "Sichern und Zurückspielen"},
    "gate_core": {
        "en": "Every test of the core is green twice in a row",
        "de": "Alle Prüfungen des Kerns zweimal hintereinander grün",
    },
    "gate_phone": {
        "en": "Usable on a phone and by keyboard alone",
        "de": "Auf dem Telefon und nur mit der Tastatur bedienbar",
    },
    "gate_people": {
        "en": "Two people outside the team have tried it",
        "de": "Zwei Menschen außerhalb des Teams haben es probiert",
    },
    "check_pages": {
        "en": "Imprint, privacy notice and contact are on the page",
        "de": "Impressum, Datenschutz und Kontakt stehen auf der Seite",
    },
    "check_mail": {
        "en": "A confirmation mail arrives at three different providers",
        "de": "Eine Bestätigung kommt bei drei verschiedenen Anbietern an",
    },
    "check_alert": {
        "en": "Somebody is told when it fails, and knows what to do",
        "de": "Jemand erfährt von Ausfällen und weiß, was zu tun ist",
    },
    "check_back": {
        "en": "The rollback has been done once on purpose",
        "de": "Das Zurückrollen wurde einmal absichtlich gemacht",
    },
    "check_price": {
        "en": "What it costs is said before anybody pays: {price}",
        "de": "Was es kostet, steht da, bevor jemand zahlt: {price}",
    },
    "trigger_core": {
        "en": "The core fails for more than one person",
        "de": "Der Kern versagt bei mehr als einer Person",
    },
    "trigger_data": {
        "en": "Data is lost, or shown to the wrong person",
        "de": "Daten gehen verloren oder erscheinen der falschen Person",
    },
    "back_stop": {"en": "Close sign-in and say so on the page", "de": "Anmeldung schließen und es auf der Seite sagen"},
    "back_version": {
        "en": "Return to the last version that worked",
        "de": "Zur letzten Fassung zurück, die funktioniert hat",
    },
    "back_tell": {
        "en": "Tell those affected what happened and what was done",
        "de": "Den Betroffenen sagen, was war und was getan wurde",
    },
    "ready_watch": {"en": "One person looks at errors every day", "de": "Eine Person sieht jeden Tag nach Fehlern"},
    "ready_backup": {
        "en": "Backups run daily and have been restored once",
        "de": "Sicherungen laufen täglich und wurden einmal zurückgespielt",
    },
    "ready_answer": {"en": "Replies are answered within two days", "de": "Antworten kommen innerhalb von zwei Tagen"},
    "wish_open": {
        "en": "Asked for, and still to be written by a person: {guidance}",
        "de": "Gewünscht, und noch von einem Menschen zu schreiben: {guidance}",
    },
    # --- brand brief
    "deck_direction": {
        "en": "Quiet surfaces, one strong colour, type that carries the page; {motif} as the only motif.",
        "de": "Ruhige Flächen, eine starke Farbe, Schrift trägt die Seite; {motif} als einziges Motiv.",
    },
    "deck_narrative": {
        "en": "The brand says what the project is, {idea}, and leaves out everything else. It speaks like the "
        "people it is "
        "for and promises nothing that has not been built.",
        "de": "Die Marke sagt, was das Projekt ist, {idea}, und lässt alles andere weg. Sie spricht wie die "
        "Menschen, für "
        "die sie da ist, und verspricht nichts, was nicht gebaut ist.",
    },
    "deck_brief": {"en": "Brand brief", "de": "Markenleitfaden"},
    "deck_positioning": {"en": "What we stand for", "de": "Wofür wir stehen"},
    "deck_palette": {"en": "Five colours, one accent", "de": "Fünf Farben, ein Akzent"},
    "deck_palette_body": {
        "en": "The accent marks what can be clicked, and nothing else.",
        "de": "Der Akzent markiert, was sich anklicken lässt, und sonst nichts.",
    },
    "deck_type": {"en": "Type carries the page", "de": "Schrift trägt die Seite"},
    "deck_voice": {"en": "How we speak", "de": "Wie wir sprechen"},
    "deck_rules": {"en": "Do and do not", "de": "So und so nicht"},
    "deck_close": {"en": "One idea, told plainly", "de": "Eine Idee, klar erzählt"},
    "do_short": {"en": "Say it in one sentence first", "de": "Zuerst in einem Satz sagen"},
    "do_words": {"en": "Use the words of those it is for", "de": "Die Worte derer benutzen, für die es ist"},
    "do_space": {"en": "Leave room around every statement", "de": "Jeder Aussage Raum lassen"},
    "dont_super": {"en": "No superlatives", "de": "Keine Superlative"},
    "dont_claim": {"en": "No numbers nobody has measured", "de": "Keine Zahlen, die niemand gemessen hat"},
    "dont_stock": {
        "en": "No pictures of people who are not users",
        "de": "Keine Bilder von Menschen, die es nicht nutzen",
    },
}
