"""The words of requests that code understands, in seven languages: English, Czech, German, Spanish, French,
Portuguese and Japanese. A word that is not here is never guessed at; the reading becomes a question.

Entries are matched case-insensitively, without diacritics, at the start of a word (Japanese: anywhere).
"""

from __future__ import annotations

import re
import unicodedata

MODES: dict[str, tuple[str, ...]] = {
    "append": (
        "append",
        "add ",
        "insert",
        "prid",
        "pripoj",
        "anhang",
        "hinzufug",
        "anfug",
        "anad",
        "agreg",
        "ajout",
        "acrescent",
        "adicion",
        "追加",
    ),
    "merge": ("merge", "upsert", "slouc", "slou", "zusammenfuhr", "fusion", "combin", "mescl", "マージ", "統合"),
    "replace": (
        "replac",
        "overwrit",
        "refresh",
        "nahrad",
        "prepis",
        "ersetz",
        "uberschreib",
        "reempla",
        "sobrescrib",
        "remplac",
        "ecras",
        "substitu",
        "置き換え",
        "置換",
        "上書き",
    ),
}
#: What Osiris does not do; asking for it is refused, never read as a copy.
UNSUPPORTED: tuple[str, ...] = (
    "delete",
    "remove ",
    "drop ",
    "truncate",
    "erase",
    "purge",
    "mask",
    "anonymi",
    "encrypt",
    "decrypt",
    "email me",
    "notify",
    "schedule",
    "every day",
    "every hour",
    "train ",
    "smaz",
    "odstran",
    "vymaz",
    "loschen",
    "losche",
    "entfern",
    "verschlussel",
    "elimin",
    "borra",
    "supprim",
    "efface",
    "chiffr",
    "apag",
    "exclu",
    "削除",
    "消去",
    "暗号",
)
INCREMENTAL: tuple[str, ...] = (
    "incremental",
    "increment",
    "prirustkov",
    "inkrement",
    "nur neue zeilen",
    "increment",
    "差分",
    "only new rows",
    "since the last run",
)
#: A restriction is announced; without a filter or a choice of columns the reading is incomplete.
RESTRICTING: tuple[str, ...] = (
    "only",
    "just",
    "except",
    "without",
    "pouze",
    "jen ",
    "krome",
    "nur ",
    "ausser",
    "ohne",
    "solo ",
    "solamente",
    "excepto",
    "sin ",
    "seulement",
    "uniquement",
    "sauf",
    "sans ",
    "apenas",
    "somente",
    "exceto",
    "sem ",
    "のみ",
    "だけ",
    "のうち",
    "以外",
)
#: Systems that are no connection of the user's: naming one that is not there is a missing connection.
SYSTEMS: tuple[str, ...] = (
    "bigquery",
    "snowflake",
    "redshift",
    "databricks",
    "kafka",
    "mongodb",
    "elasticsearch",
    "oracle",
    "salesforce",
    "google sheets",
    "excel",
    "sharepoint",
    "dynamodb",
    "cassandra",
    "clickhouse",
    "s3 ",
    "sftp",
    "hubspot",
)
JOINING: tuple[str, ...] = (
    "join",
    "sum of",
    "total of",
    "average",
    "count of",
    "per ",
    "group by",
    "aggregat",
    "spoj",
    "soucet",
    "prumer",
    "summe",
    "verbinde",
    "durchschnitt",
    "suma",
    "une los",
    "promedio",
    "somme",
    "joindre",
    "moyenne",
    "soma",
    "junt",
    "media ",
    "合計",
    "結合",
    "平均",
)

#: Date expressions and the words that ground them.
DATES: dict[str, tuple[str, ...]] = {
    "today": ("today", "dnes", "heute", "hoy", "aujourd", "hoje", "今日"),
    "yesterday": ("yesterday", "vcer", "gestern", "ayer", "hier", "ontem", "昨日"),
    "this_week": (
        "this week",
        "tento tyden",
        "tyto tydny",
        "diese woche",
        "dieser woche",
        "esta semana",
        "cette semaine",
        "今週",
    ),
    "last_week": (
        "last week",
        "minuly tyden",
        "minuleho tydne",
        "letzte woche",
        "letzten woche",
        "semana pasada",
        "semaine derniere",
        "semana passada",
        "先週",
    ),
    "this_month": (
        "this month",
        "tento mesic",
        "tohoto mesice",
        "diesen monat",
        "diesem monat",
        "este mes",
        "ce mois",
        "今月",
    ),
    "last_month": (
        "last month",
        "previous month",
        "minuly mesic",
        "minuleho mesice",
        "letzten monat",
        "letzter monat",
        "vorigen monat",
        "mes pasado",
        "mois dernier",
        "mes passado",
        "先月",
    ),
    "this_quarter": ("this quarter", "toto ctvrtleti", "dieses quartal", "este trimestre", "ce trimestre", "今四半期"),
    "last_quarter": (
        "last quarter",
        "minule ctvrtleti",
        "letztes quartal",
        "trimestre pasado",
        "trimestre dernier",
        "trimestre passado",
        "前四半期",
    ),
    "this_year": ("this year", "letos", "tento rok", "dieses jahr", "diesem jahr", "este ano", "cette annee", "今年"),
    "last_year": (
        "last year",
        "loni",
        "minuly rok",
        "letztes jahr",
        "letzten jahr",
        "ano pasado",
        "annee derniere",
        "ano passado",
        "去年",
        "昨年",
    ),
}
MONTHS: tuple[tuple[str, ...], ...] = (
    ("january", "januar", "leden", "ledna", "enero", "janvier", "janeiro", "1月"),
    ("february", "februar", "unor", "febrero", "fevrier", "fevereiro", "2月"),
    ("march", "marz", "brezen", "brezna", "marzo", "mars", "marco", "3月"),
    ("april", "duben", "dubna", "abril", "avril", "4月"),
    ("may", "mai", "kveten", "kvetna", "mayo", "maio", "5月"),
    ("june", "juni", "cerven ", "cervna", "junio", "juin", "junho", "6月"),
    ("july", "juli", "cervenec", "cervence", "julio", "juillet", "julho", "7月"),
    ("august", "srpen", "srpna", "agosto", "aout", "8月"),
    ("september", "zari", "septiembre", "septembre", "setembro", "9月"),
    ("october", "oktober", "rijen", "rijna", "octubre", "octobre", "outubro", "10月"),
    ("november", "listopad", "noviembre", "novembre", "novembro", "11月"),
    ("december", "dezember", "prosinec", "prosince", "diciembre", "decembre", "dezembro", "12月"),
)


def fold(text: str) -> str:
    """``text`` lower-cased, without diacritics, white space folded, with a space at both ends."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return f" {' '.join(plain.split())} "


def says(folded: str, entries: tuple[str, ...]) -> bool:
    """Whether a folded text holds one of ``entries`` at the start of a word."""
    return any(_at_word(entry, folded) for entry in entries)


def _at_word(entry: str, folded: str) -> bool:
    if not entry.isascii():
        return fold(entry).strip() in folded
    return re.search(rf"(?<![a-z0-9_]){re.escape(entry)}", folded) is not None
