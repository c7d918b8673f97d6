# ruff: noqa: E501 - reports are read entry by entry, a line each.
"""Reports to draw: a realistic one in several scripts, tiny and huge ones, one of nothing, and hostile texts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from studio.brand import Brand, brand_of
from studio.reports.model import (
    Chart,
    CitedText,
    Claim,
    ClaimOutcome,
    Contradiction,
    Datum,
    Question,
    Report,
    ReportSource,
)
from studio.text import sha256_hex
from tests.support.deck_samples import HOSTILE

ASKED_AT = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
# What a removed statement says, so that it can be looked for everywhere else.
REMOVED = "Every household in Europe will share its tools by 2030"


def brand(seed: str = "A tool library for houses", name: str = "Hallway") -> Brand:
    return brand_of(None, seed, name)


def source(number: int, url: str, title: str) -> ReportSource:
    return ReportSource(
        key=f"S{number}", url=url, title=title, text_sha256=sha256_hex(url), retrieved_at=ASKED_AT + timedelta(minutes=number)
    )  # fmt: skip


def claim(
    number: int, question: int, statement: str, quote: str | None, on: str | None, *, outcome: ClaimOutcome = "supported",
    reason: str | None = None, confidence: int = 90,
) -> Claim:  # fmt: skip
    return Claim(
        number=number, question=question, statement=statement, quote=quote, source=on, outcome=outcome, reason=reason,
        confidence=confidence,
    )  # fmt: skip


SOURCES = (
    source(1, "https://www.lendly.test/pricing", "Lendly: pricing for members and houses"),
    source(2, "https://figures.test/tools-2025", "The tool rental market 2025"),
    source(3, "https://city.test/waste/repair-report", "City waste office: what is thrown away, and what is repaired"),
    source(4, "https://locks.test/datasheet", "Locker X4 data sheet"),
    source(5, "https://blog.test/libraries-of-things", "Ten years of libraries of things"),
    source(6, "https://forum.test/t/deposits", "Deposits: what do you take?"),
)
CLAIMS = (
    claim(
        1,
        1,
        "A power drill is used for thirteen minutes in its life",
        "On average, a household drill runs for thirteen minutes before it is thrown away.",
        "S3",
        confidence=93,
    ),
    claim(
        2,
        1,
        "The European market for tool rental was worth €4.6 billion in 2025",
        "The European market for tool rental was worth €4.6 billion in 2025, of which the trade accounts for the larger part.",
        "S2",
        confidence=96,
    ),
    claim(
        3,
        1,
        "Households in European cities spent €640 million on rented tools",
        "Households in European cities spent €640 million on rented tools.",
        "S2",
        confidence=88,
    ),
    claim(4, 1, "In 2024 the market was worth €4.1 billion", "after €4.1 billion in 2024", "S2", confidence=80),
    claim(
        5,
        2,
        "Lendly takes €5 a month from members",
        "Lendly lends power tools to members for €5 a month and asks for a deposit of €50 per tool.",
        "S1",
        confidence=97,
    ),
    claim(6, 2, "A deposit of €50 per tool is usual", "asks for a deposit of €50 per tool", "S1", confidence=74),
    claim(
        7,
        2,
        "Most libraries of things take no deposit at all",
        "Of the forty libraries that we asked, thirty-one take no deposit; they say that it keeps people away.",
        "S5",
        confidence=82,
    ),
    claim(8, 2, "A house pays €40 a month for a locker", "Houses: €40 a month and locker.", "S1", confidence=90),
    claim(
        9,
        3,
        "The X4 locker opens by code without network for 72 hours",
        "Stored codes remain valid for 72 h without connection.",
        "S4",
        confidence=91,
    ),
    claim(
        10, 3, "A locker costs €1,900 with installation", "X4, 12 doors, installed: 1,900 EUR net", "S4", confidence=85
    ),
    claim(
        11,
        3,
        "Lockers are broken into rarely",
        "I have not heard of one that was broken into.",
        "S6",
        outcome="marked",
        reason="One person's experience carries no statement about how often it happens.",
        confidence=20,
    ),
    claim(12, 1, REMOVED, None, None, outcome="removed", reason="No page says so.", confidence=0),
    claim(
        13,
        2,
        "Lendly has two million members",
        "Lendly lends power tools to members",
        "S1",
        outcome="removed",
        reason="The figure is not on the page.",
        confidence=0,
    ),
)
QUESTIONS = (
    Question(number=1, text="How large is the market for borrowed tools in European cities?", heading="€4.6 billion in Europe, of which city households are a seventh", claims=(1, 2, 3, 4),
             charts=(Chart(title="The market has grown by an eighth in a year", unit="Billion euros", data=(Datum(label="2024", value=4.1, shown="€4.1 billion", claim=4), Datum(label="2025", value=4.6, shown="€4.6 billion", claim=2))),)),
    Question(number=2, text="What do members and houses pay elsewhere, and which deposits are usual?", heading="Members pay €5, houses €40; deposits divide the field", claims=(5, 6, 7, 8),
             charts=(Chart(title="What is paid a month, and what is held", unit="Euros", data=(Datum(label="Member, a month", value=5, shown="€5", claim=5), Datum(label="House, a month", value=40, shown="€40", claim=8), Datum(label="Deposit for each tool", value=50, shown="€50", claim=6))),)),
    Question(number=3, text="Which lockers work without a network, and what do they cost?", heading="The X4 keeps its codes for three days, at €1,900", claims=(9, 10, 11)),
    Question(number=4, text="How many houses in Hamburg have a room for a locker?", heading="", claims=(), unanswered="Three searches found no page that counts them."),
)  # fmt: skip


def report(**change: object) -> Report:
    """A report as the research makes it: four questions, thirteen statements, six pages."""
    made = Report(
        project="Hallway",
        topic="Is there a market for a shelf of tools in the hallway of every house, and what do others take for it?",
        title="Tools in the hallway: market, prices and lockers",
        language="en",
        asked_at=ASKED_AT,
        summary=(
            CitedText(
                text="Tools are bought to be used for minutes: a drill runs thirteen minutes in its life.", claims=(1,)
            ),
            CitedText(
                text="Renting them is a market of €4.6 billion in Europe, and city households spend €640 million of it.",
                claims=(2, 3),
            ),
            CitedText(
                text="Members elsewhere pay €5 a month and houses €40; whether deposits are usual is disputed.",
                claims=(5, 7, 8),
            ),
            CitedText(text="Lockers that open without a network exist, and cost €1,900 installed.", claims=(9, 10)),
        ),
        next_steps=(
            CitedText(text="Ask three houses whether €40 a month is what they would pay, too.", claims=(8,)),
            CitedText(text="Settle the deposit before the price: half of the field does without.", claims=(6, 7)),
        ),
        questions=QUESTIONS,
        claims=CLAIMS,
        contradictions=(Contradiction(claims=(6, 7), difference="whether a deposit is usual"),),
        sources=SOURCES,
        searches=11,
        limits=(
            "Only pages that can be read without an account were searched.",
            "Prices are those of the day on which a page was retrieved, and leave taxes aside.",
            "The market figures come from one publisher, whose method is not on the page.",
        ),
        sandbox=False,
    )
    return made.model_copy(update=change)


def tiny() -> Report:
    """One question, one statement, one page."""
    return report(
        next_steps=(), title="One thing", topic="One thing", summary=(CitedText(text="A drill runs thirteen minutes.", claims=(1,)),),
        questions=(Question(number=1, text="How long does a drill run?", heading="Thirteen minutes", claims=(1,)),),
        claims=CLAIMS[:1], contradictions=(), sources=SOURCES[2:3], searches=1, limits=(),
    )  # fmt: skip


def nothing() -> Report:
    """A report to which nothing was found."""
    questions = tuple(
        Question(number=n, text=text, heading="", claims=(), unanswered=why)
        for n, text, why in (
            (
                1,
                "How many houses in Hamburg have a room for a locker?",
                "Three searches found no page that counts them.",
            ),
            (2, "What does the city plan for shared rooms?", "The one page that was found could not be retrieved."),
        )
    )
    claims = (claim(1, 1, REMOVED, None, None, outcome="removed", reason="No page says so.", confidence=0),)
    return report(
        summary=(), questions=questions, claims=claims, contradictions=(), sources=SOURCES[:2], searches=6, title="Lockers in Hamburg"
    )  # fmt: skip


def huge(questions: int = 12, claims: int = 20, words: int = 1) -> Report:
    """Much more than thirty slides hold; `words` makes its texts so many times as long."""
    sources = tuple(
        source(n, f"https://site{n}.test/a/long/path/to/the/page/{n}", f"Page {n} on tools") for n in range(1, 61)
    )
    listed: list[Claim] = []
    asked: list[Question] = []
    for q in range(1, questions + 1):
        numbers = range((q - 1) * claims + 1, q * claims + 1)
        for n in numbers:
            outcome: ClaimOutcome = "removed" if n % 10 == 0 else "marked" if n % 7 == 0 else "supported"
            statement = (
                f"{REMOVED} ({n})"
                if outcome == "removed"
                else f"Statement number {n} says that something was counted " * words
            )
            listed.append(
                claim(n, q, statement, f"and {n} of them were counted in that year, as the office says " * words, f"S{n % 60 + 1}",
                      outcome=outcome, reason=None if outcome == "supported" else "Its words say something else.", confidence=n % 101)
            )  # fmt: skip
        stand = [n for n in numbers if listed[n - 1].outcome == "supported"]
        data = tuple(Datum(label=f"Place {n}", value=n, shown=f"{n} items", claim=n) for n in stand[:6])
        asked.append(
            Question(
                number=q,
                text=f"What was counted in place {q}, and by whom? " * words,
                heading=f"In place {q} a lot was counted",
                claims=tuple(numbers),
                charts=(Chart(title=f"Counted in place {q}", unit="Items", data=data),),
            )
        )
    stand = [one.number for one in listed if one.outcome == "supported"]
    return report(
        summary=tuple(CitedText(text=f"In short, a lot was counted in many places, as number {n} says. " * words, claims=(n, n + 1)) for n in stand[:14]),
        questions=tuple(asked), claims=tuple(listed), sources=sources, searches=200,
        contradictions=tuple(Contradiction(claims=(stand[i], stand[i + 9]), difference=f"how many were counted in case {i}") for i in range(9)),
    )  # fmt: skip


def translated(texts: Sequence[str], language: str, title: str) -> Report:
    """The report with each of its texts exchanged for one of `texts` in turn; figures, pages and counts stay."""
    turn = iter(range(10_000))

    def other() -> str:
        return texts[next(turn) % len(texts)]

    base = report()
    return base.model_copy(
        update={
            "title": title,
            "topic": other(),
            "language": language,
            "project": title.split(" ")[0],
            "summary": tuple(part.model_copy(update={"text": other()}) for part in base.summary),
            "next_steps": tuple(part.model_copy(update={"text": other()}) for part in base.next_steps),
            "questions": tuple(
                one.model_copy(
                    update={
                        "text": other(),
                        "heading": other() if one.claims else "",
                        "unanswered": other() if one.unanswered else None,
                        "charts": tuple(
                            chart.model_copy(
                                update={
                                    "title": other(),
                                    "data": tuple(d.model_copy(update={"label": other()[:24]}) for d in chart.data),
                                }
                            )
                            for chart in one.charts
                        ),
                    }
                )
                for one in base.questions
            ),
            "claims": tuple(
                one.model_copy(
                    update={
                        "statement": REMOVED if one.outcome == "removed" else other(),
                        "quote": other() if one.quote else None,
                        "reason": other() if one.reason else None,
                    }
                )
                for one in base.claims
            ),
            "contradictions": tuple(one.model_copy(update={"difference": other()}) for one in base.contradictions),
            "sources": tuple(one.model_copy(update={"title": other()}) for one in base.sources),
            "limits": tuple(other() for _ in base.limits),
        }
    )


JAPANESE = (
    "集合住宅の共用廊下に工具を置く「工具ライブラリー」は、電動ドリルの平均使用時間がわずか十三分であるという調査に基づいている。",
    "会員は月額五ユーロを支払い、工具ごとに五十ユーロの保証金を預ける。",
    "欧州の工具レンタル市場は二〇二五年に四十六億ユーロに達した。",
    "ネットワークがなくても、保存されたコードは七十二時間有効である。",
    "調査した四十の図書館のうち三十一は、保証金を取らない。",
)
CHINESE = (
    "在每栋住宅的走廊里放置一个工具柜，邻居们可以按月付费借用。",
    "二〇二五年欧洲工具租赁市场规模达到四十六亿欧元，其中城市家庭支出为六亿四千万欧元。",
    "在接受调查的四十家图书馆中，有三十一家不收取押金。",
)
ARABIC = (
    "مكتبة أدوات في مدخل كل مبنى: يستعير الجيران المثقاب بدلاً من شرائه، فهو لا يعمل أكثر من ثلاث عشرة دقيقة في عمره.",
    "يدفع الأعضاء خمسة يورو في الشهر، ويودعون خمسين يورو عن كل أداة.",
    "بلغ حجم سوق تأجير الأدوات في أوروبا 4.6 مليار يورو في عام 2025، والجزء الأكبر منه للحرفيين.",
    "تبقى الرموز المخزنة صالحة لمدة 72 ساعة من دون اتصال بالشبكة.",
    "من بين أربعين مكتبة سألناها، لا تأخذ إحدى وثلاثون منها أي وديعة.",
)
HEBREW = (
    "ספריית כלים בכל בניין: השכנים שואלים מקדחה במקום לקנות אותה, כי היא פועלת שלוש עשרה דקות בחייה.",
    "החברים משלמים 5 אירו בחודש ומפקידים פיקדון של 50 אירו לכל כלי.",
    "מתוך ארבעים ספריות ששאלנו, שלושים ואחת אינן לוקחות פיקדון.",
)
HINDI = (
    "हर इमारत के गलियारे में एक औज़ार पुस्तकालय: पड़ोसी ड्रिल ख़रीदने के बजाय उधार लेते हैं।",
    "सदस्य हर महीने पाँच यूरो देते हैं और हर औज़ार के लिए पचास यूरो जमा करते हैं।",
    "जिन चालीस पुस्तकालयों से हमने पूछा, उनमें से इकतीस कोई जमा राशि नहीं लेते।",
)
# Long words without a place to break, emoji of several characters, stacked marks, ligatures, and what steers readers.
ODD = (
    "W" * 5000, "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenreinigungsmittel " * 12,
    "👩‍🚀👨‍👩‍👧‍👦🏳️‍🌈🇪🇺🔧 tools " * 30, "Z̴̡͈̮a̵̛̺l̶̢͉g̷̗̈o̸̧͝ é à ñ e̊̂ z̃", "ﷺ" * 60, "https://a.test/" + "path/" * 300, "漢字" * 2500,
    HOSTILE, "", "ภาษาไทยไม่มีช่องว่างระหว่างคำ" * 20, "Ω≈ç√∫˜µ≤≥÷ \U00013000 \ue000", "مرحبا hello שלום " * 80, "word " * 1000,
)  # fmt: skip


def in_script(name: str) -> Report:
    """The report in Japanese, Chinese, Arabic, Hebrew or Hindi, or in texts that no one expects."""
    texts, language, title = {
        "japanese": (JAPANESE, "ja", "廊下の工具：市場、価格、ロッカー"),
        "chinese": (CHINESE, "zh-Hans", "走廊里的工具：市场、价格与储物柜"),
        "arabic": (ARABIC, "ar", "الأدوات في المدخل: السوق والأسعار والخزائن"),
        "hebrew": (HEBREW, "he", "כלים במסדרון: שוק, מחירים ולוקרים"),
        "hindi": (HINDI, "hi", "गलियारे में औज़ार: बाज़ार, दाम और लॉकर"),
        "odd": (ODD, "en", "Odd " + "W" * 300),
    }[name]
    return translated(texts, language, title)
