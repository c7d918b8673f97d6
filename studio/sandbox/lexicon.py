"""Word lists in English and German: what separates phrases, what acts, who people are.

They need not be complete. A word that is missing makes an answer say "the idea does not state it", which is
the honest way to fail; a wrong word would put something into the founder's mouth.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ABBREVIATIONS = _words("""
e.g i.e etc vs approx dr mr mrs ms no inc ltd st z.b u.a d.h bzw ca usw evtl ggf nr vgl inkl mio mrd
""")

ENGLISH_MARKERS = _words("""
the a an and or of to for with that which who is are in on it its their they we you by from at so can
helps lets where when instead without
""")
GERMAN_MARKERS = _words("""
der die das den dem ein eine einen einem einer eines und oder für mit von zu zum zur im ist sind auf
sich nicht wir sie es auch bei als aus nach über damit wenn wird werden können kann ihre ihren
""")

_ENGLISH_STOP = _words("""
a about above after again against all almost also although always am among an and another any anybody
anyone anything anywhere are around as at away back be became because become been before being below
between both but by came can cannot come could did do does doing done down during each either else
enough especially etc even ever every everybody everyone everything few first for from full get gets
getting give given gives go goes going got had has have having he help helps helping her here hers him
his how however i idea if in inside instead into is it its itself just keep kind know last later least
less let lets letting like likely long lot lots made mainly make makes making many may me means might
mine more most mostly much must my myself near need needs never new next no nobody none nor not nothing
now of off often old on once one only onto or other others our ours out over own per perhaps put quite
rather really same see several she should simple simply since so some somebody someone something still
such sure take takes than that the their theirs them themselves then there these they thing things this
those through to together too toward towards under until up upon us use used user users uses using
usually very via want wants was way we well were what whatever when where whether which while who whom
whose why will with within without would yet you your yours yourself allow allows enable enables today
currently build building based
""")
_GERMAN_STOP = _words("""
ab aber alle allem allen aller alles als also am an andere anderen anderer anderes auch auf aus außerdem
bei beim bereits bis bisher bleibt da dabei dadurch dafür damit dann daran darauf das dass dazu dem den
denen denn der deren des dessen deshalb die dies diese diesem diesen dieser dieses doch dort du durch
eigene eigenen ein eine einem einen einer eines einfach einige er erst es etwa etwas euch eure für gar
geben gegen gibt ganz haben hat hatte hier hilft ich idee ihm ihn ihnen ihr ihre ihrem ihren ihrer im
immer in indem ins ist ja je jede jedem jeden jeder jedes jetzt kann kein keine keinen können könnte
lassen lässt machen man manche mehr mein meine mit mittels muss müssen nach neu neue neuen nicht nichts
noch nun nur ob oder ohne pro schon sehr sein seine seinem seinen seiner selbst sich sie sind so sodass
sogar soll sollen sollte sondern sonst statt über um und uns unser unsere unter viel viele vielen vom
von vor wann war waren warum was weil welche wenn wer werden wie wieder will wir wird wo wollen wurde
würde zu zum zur zwischen heute nutzen nutzt
""")
STOP_WORDS = _ENGLISH_STOP | _GERMAN_STOP

# Verbs that are hardly ever nouns.
PLAIN_VERBS = _words("""
accept add adjust adopt advise alert allocate analyse analyze answer apply arrange ask assign avoid bake
become borrow breed bring browse buy calculate capture carry catch choose clean coach collect combine
communicate compare compile compose configure connect convert cook coordinate create deal decide deliver
detect discover distribute donate download earn eat edit encourage estimate evaluate exchange explain
export extract find follow forecast gather generate give grow hear hire identify import improve inform
inspect install integrate invite invest join keep label learn lease lend let locate maintain make manage
measure mediate meet moderate monitor negotiate notify optimise optimize organise organize pay pick
predict prepare prescribe prevent produce protect prove provide publish read receive recognise recommend
recycle redeem reduce refill refurbish remember remind remove repair replace resell reserve resolve
reuse save scan schedule see sell send serve settle show simplify solve sort speak split store stream
submit subscribe suggest summarise summarize swap switch teach tell transcribe translate turn understand
unlock update upload validate verify visualise warn wash write automate translate cancel confirm
connects
""")

# Words that are verbs or nouns; `reading` decides by what stands around them.
HOMOGRAPHS = _words("""
book build call care charge chat check design draft drive fix guide help host list look map market match
note offer order park plan play post price print rate record rent report review ride run search share
ship sign support swap talk tag test track trade train transport travel view visit walk watch work try
drop dispute track sample match rank filter group message swipe bid bundle type enter set sign phone
pre-order sort target
""")

# What a product is called: a verb in the third person may follow ("the app shares …").
PRODUCT_NOUNS = _words("""
app application assistant bot box chatbot club community company device dashboard directory extension
exchange game kit library machine marketplace network newsletter plugin platform portal product program
robot scanner school service shop site software startup store studio subscription system tool website
widget workshop it anwendung dienst gerät gemeinschaft laden marktplatz netzwerk plattform portal
programm seite werkzeug verein
""")

GENERIC_NOUNS = (
    PRODUCT_NOUNS
    | _words("""
people time money day days week month year way idea business market customer customers
""")
    | _words("""
menschen leute zeit geld tag tage woche monat jahr kunden nutzer
""")
)

DETERMINERS = _words("""
a an the my your our their his her its this these those each every any some no one two three all
""")
# "rent out", "sign up": a homograph before one of these is a verb.
PARTICLES = _words("""
out up in off down back together away
""")
# A word after one of these is not a verb.
NOT_BEFORE_VERB = DETERMINERS | _words("""
of for with in on at by from as into about between without than per via like near over under
""")
# A homograph after one of these is a verb.
BEFORE_VERB = _words("""
to can could will would should may might must and or who they we you i people then also simply easily
automatically never just not that which it let lets help helps please
""")

PEOPLE = _words("""
people persons parents mothers fathers mums moms dads women men girls boys children kids toddlers babies
teenagers teens adults seniors families couples households neighbours neighbors neighbourhoods
neighborhoods friends roommates flatmates tenants landlords homeowners residents citizens communities
villages students pupils teachers schools universities colleges kindergartens nurseries researchers
scientists doctors nurses clinics hospitals patients therapists carers caregivers pharmacies vets
athletes runners cyclists hikers climbers swimmers gyms clubs teams companies firms businesses startups
founders freelancers contractors consultants agencies lawyers accountants bookkeepers employers
employees workers staff managers recruiters developers engineers designers writers authors journalists
podcasters musicians bands artists photographers filmmakers creators makers craftspeople tradespeople
plumbers electricians carpenters builders mechanics garages farmers growers gardeners beekeepers
winemakers brewers bakers bakeries butchers cafes cafés restaurants bars hotels hosts guests travellers
travelers tourists commuters drivers passengers couriers shops shopkeepers bookshops bookstores
retailers wholesalers manufacturers suppliers buyers sellers shoppers customers clients owners walkers
sitters breeders donors charities nonprofits volunteers organisers organizers museums libraries theatres
theaters cinemas churches municipalities cities towns councils investors traders banks insurers readers
listeners viewers players gamers learners beginners immigrants refugees expats veterans collectors
hobbyists enthusiasts members users pensioners retirees cooks chefs tailors florists hairdressers
dentists midwives translators operators dispatchers warehouses installers surveyors architects
""")
# These say nothing about who somebody is; anything more telling is preferred.
VAGUE_PEOPLE = _words("""
people users members customers clients companies businesses teams owners nutzer nutzern kunden menschen
leute mitglieder
""")

GERMAN_PEOPLE_ENDINGS = _words("""
nachbarn eltern kinder kindern schüler schülern studierende studierenden studenten lehrer lehrern
lehrkräfte lehrkräften betriebe betrieben handwerker handwerkern bäckereien bäcker bäckern vereine
vereinen familien kunden firmen unternehmen teams freiberufler freiberuflern selbstständige
selbstständigen mieter mietern vermieter vermietern patienten pflegekräfte pflegekräften ärzte ärzten
praxen landwirte landwirten gärtner gärtnern besitzer besitzern halter haltern nutzer nutzern menschen
leute leuten senioren rentner rentnern gründer gründern restaurants gastronomen händler händlern läden
schulen gemeinden kommunen pendler pendlern radfahrer radfahrern touristen gäste gästen hotels fahrer
fahrern haushalte haushalten mitglieder mitgliedern innen büchereien bibliotheken werkstätten imker
imkern winzer winzern hofläden apotheken kanzleien bewohner bewohnern bürger bürgern sportler sportlern
läufer läufern anfänger anfängern hebammen angehörige angehörigen
""")

PROBLEM_CUES = (
    r"\bproblems?\b",
    r"\bstruggl\w+",
    r"\bwast(?:e|es|ed|ing|eful)\b",
    r"\blos(?:e|es|ing|t)\b",
    r"\bhard(?:er)? to\b",
    r"\bdifficult\b",
    r"\bexpensive\b",
    r"\bcostly\b",
    r"\bslow(?:ly)?\b",
    r"\bby hand\b",
    r"\bmanual(?:ly)?\b",
    r"\bcan(?:not|'t|’t)\b",
    r"\btoo (?:much|many|little|few|late|long|expensive|slow|often)\b",
    r"\bfrustrat\w+",
    r"\bpain(?:ful)?\b",
    r"\bhate\b",
    r"\bspend(?:s|ing)? (?:hours|days|too)\b",
    r"\bforg[eo]t\w*",
    r"\bmiss(?:es|ed|ing)?\b",
    r"\bunused\b",
    r"\bidle\b",
    r"\bthr[eo]w\w* away\b",
    r"\bno (?:way|time|idea)\b",
    r"\b(?:nobody|no one) (?:knows|can|sees|has)\b",
    r"\bonly one person\b",
    r"\bdouble[- ]book\w*",
    r"\b(?:mistakes|errors)\b",
    r"\bniemand\b",
    r"\btoday,? ",
    r"\bcurrently\b",
    r"\bschwierig\w*",
    r"\bteuer\w*",
    r"\bmühsam\w*",
    r"\bverschwend\w+",
    r"\bverlier\w+",
    r"\bvergess\w+",
    r"\bfehl(?:t|en)\b",
    r"\bzu (?:viel|viele|wenig|teuer|spät|lange?|langsam)\b",
    r"\bheute\b",
    r"\bbisher\b",
    r"\bumständlich\w*",
    r"\bungenutzt\w*",
    r"\bw[ei]rf\w+ .*\bweg\b",
    r"\bweggeworfen\b",
    r"\bvon hand\b",
    r"\bmanuell\w*",
)

LATER_CUES = (
    r"\blater\b",
    r"\beventually\b",
    r"\bin (?:the|a) (?:future|second step|next step)\b",
    r"\bphase (?:two|2|three|3)\b",
    r"\bsome ?day\b",
    r"\bnext year\b",
    r"\bspäter\w*",
    r"\blangfristig\b",
    r"\birgendwann\b",
    r"\bin zukunft\b",
)
