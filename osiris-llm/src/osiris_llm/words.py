"""The words of requests that code understands, in seven languages: English, Czech, German, Spanish, French,
Portuguese and Japanese. A word that is not here is never guessed at; the reading becomes a question.

Entries are matched case-insensitively, without diacritics, at the start of a word (Japanese: anywhere); one that ends
with a blank is a whole word.
"""

from __future__ import annotations

import re
import unicodedata


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


MODES: dict[str, tuple[str, ...]] = {
    "append": _words(
        "append|add |insert|prid|pripoj|anhang|hange |hinzufug|anfug|fuge |anad|agreg|ajout|acrescent|adicion|追加"
    ),
    "merge": _words("merge|upsert|slouc|slou|zusammenfuhr|fusion|combin|mescl|マージ|統合"),
    "replace": _words(
        "replac|overwrit|refresh|nahrad|prepis|ersetz|uberschreib|reempla|sobrescrib|remplac|ecras|substitu|"
        "置き換え|置換|上書き"
    ),
}
#: What Osiris does not do; asking for it is refused, never read as a copy.
UNSUPPORTED = _words(
    "delete|remove |drop |truncate|erase|purge|mask|anonymi|encrypt|decrypt|email me|notify|schedule|"
    "every day|every hour|train |smaz|odstran|vymaz|loschen|losche|entfern|verschlussel|elimin|borra|supprim|"
    "efface|chiffr|apag|exclu|削除|消去|暗号"
)
INCREMENTAL = _words(
    "incremental|increment|prirustkov|inkrement|nur neue zeilen|increment|差分|only new rows|since the last run"
)
#: A restriction is announced; without a filter or a choice of columns the reading is incomplete.
RESTRICTING = _words(
    "only|just|except|without|pouze|jen |krome|nur |ausser|ohne|solo |solamente|excepto|sin |seulement|"
    "uniquement|sauf|sans |apenas|somente|exceto|sem |のみ|だけ|のうち|以外"
)
#: The request denies: a condition may be "not", a boolean false.
NEGATION = _words(
    "not |n't |no |without|except|other than|never|un-|neni|nejsou|krome|bez |nicht|ohne|ausser|kein|no |"
    "sin |excepto|salvo|pas |sans |sauf|nao |sem |exceto|ではない|ない|以外|未"
)
#: "As", before a name.
AS = _words("as |jako |als |como |comme ")
#: Before the connection that rows go to.
INTO = _words("to |into |do |nach |in |vers |a |no |na ")
#: A table.
TABLE = _words("table |tabulk|tabelle |tabla |tabela ")
_CALLED = _words("called|nenn|llam|appel")
_NAMED = _words("named|name it")
#: Before a name that the request gives to something.
NAMING = (*AS, *_CALLED, *_NAMED, *_words("call it |call them "))
#: A column gets another name.
RENAMING = (
    *AS,
    *_CALLED,
    *_words("comme|call |renam|prejmen|nazv|umbenen|renombr|renomm|renome|chame|名前を|という名前|改名"),
)
#: Before the name of something to be made.
MAKING = (*AS, *_NAMED, *(word.rstrip() for word in TABLE), *_words("into |to |="))
#: Before the columns that rows are matched by.
MATCHING = _words("on |by |key |keys |podle |nach |uber |por |par |sur |using ")
#: A value is not there, or is.
EMPTINESS = _words(
    "empty|null|missing|blank|without|no |not |unset|prazdn|chyb|bez |neni|leer|fehl|ohne|vaci|falta|sin |"
    "vide|manqu|sans |vazi|sem |空|ない|未"
)
PRESENCE = _words(
    "not empty|not null|non-null|non-empty|filled|with a|have a|has a|vyplnen|maji|ausgefullt|vorhanden|"
    "haben|rellen|tienen|rempli|renseign|preenchid|ある"
)
#: Sides of a time.
BEFORE = _words(
    "before|until|through|up to|to the end|older|pred |do konce|starsi|vor |bis |antes|hasta|avant|jusqu|ate |以前|まで"
)
SINCE = _words(
    "since|after|from |starting|newer|od |po |seit|nach |ab |desde|despues|depuis|apres|a partir|depois|以降|から"
)
#: Directions of comparison.
COMPARISONS: dict[str, tuple[str, ...]] = {
    ">": _words(
        "above|over |more than|greater|exceed|higher|nad |vic nez|vetsi|uber |mehr als|grosser|mas de|mayor|"
        "superior|plus de|au-dessus|superieur|acima|mais de|maior|より大きい|超"
    ),
    "<": _words(
        "below|under |less than|smaller|fewer|lower|pod |mene nez|mensi|unter |weniger|kleiner|menos de|"
        "menor|inferior|moins de|au-dessous|inferieur|abaixo|より小さい|未満"
    ),
    ">=": _words("at least|or more|minimum|alespon|nejmene|mindestens|al menos|au moins|pelo menos|以上"),
    "<=": _words("at most|or less|maximum|nejvyse|hochstens|como maximo|au plus|no maximo|以下"),
}
#: Words that choose rows without saying which: no filter can be right or wrong by them.
VAGUE = _words(
    "recent|latest|newest|new stuff|important|relevant|interesting|big |best|good |old |some |"
    "everything that|nedavn|posledni zaznam|dulezit|zajimav|nejake|neueste|wichtig|einige|interessant|"
    "reciente|importante|algunos|algunas|recent|importants|quelques|recentes|alguns|algumas|最近の|最新の|"
    "重要な|いくつか"
)
#: Systems that are no connection of the user's: naming one that is not there is a missing connection.
SYSTEMS = _words(
    "bigquery|snowflake|redshift|databricks|kafka|mongodb|elasticsearch|oracle|salesforce|google sheets|"
    "excel|sharepoint|dynamodb|cassandra|clickhouse|s3 |sftp|hubspot"
)
#: Rows are joined or computed: what only SQL can say.
JOINING = _words(
    "join|sum of|sum the|total of|average|comput|calcul|vypoct|berechn|how many|count of|per |group by|aggregat|"
    "spoj|soucet|prumer|summe|verbinde|"
    "durchschnitt|suma|une los|promedio|somme|joindre|moyenne|soma|junt|media |合計|結合|平均"
)
#: Date expressions and the words that ground them.
DATES: dict[str, tuple[str, ...]] = {
    "today": _words("today|dnes|heute|hoy|aujourd|hoje|今日"),
    "yesterday": _words("yesterday|vcer|gestern|ayer|hier|ontem|昨日"),
    "this_week": _words("this week|tento tyden|tyto tydny|diese woche|dieser woche|esta semana|cette semaine|今週"),
    "last_week": _words(
        "last week|minuly tyden|minuleho tydne|letzte woche|letzten woche|semana pasada|semaine derniere|"
        "semana passada|先週"
    ),
    "this_month": _words("this month|tento mesic|tohoto mesice|diesen monat|diesem monat|este mes|ce mois|今月"),
    "last_month": _words(
        "last month|previous month|minuly mesic|minuleho mesice|letzten monat|letzter monat|vorigen monat|"
        "mes pasado|mois dernier|mes passado|先月"
    ),
    "this_quarter": _words("this quarter|toto ctvrtleti|dieses quartal|este trimestre|ce trimestre|今四半期"),
    "last_quarter": _words(
        "last quarter|minule ctvrtleti|letztes quartal|trimestre pasado|trimestre dernier|trimestre passado|前四半期"
    ),
    "this_year": _words("this year|letos|tento rok|dieses jahr|diesem jahr|este ano|cette annee|今年"),
    "last_year": _words(
        "last year|loni|minuly rok|letztes jahr|letzten jahr|ano pasado|annee derniere|ano passado|去年|昨年"
    ),
}
MONTHS: tuple[tuple[str, ...], ...] = (
    _words("january|januar|leden|ledna|enero|janvier|janeiro|1月"),
    _words("february|februar|unor|febrero|fevrier|fevereiro|2月"),
    _words("march|marz|brezen|brezna|marzo|mars|marco|3月"),
    _words("april|duben|dubna|abril|avril|4月"),
    _words("may|mai|kveten|kvetna|mayo|maio|5月"),
    _words("june|juni|cerven |cervna|junio|juin|junho|6月"),
    _words("july|juli|cervenec|cervence|julio|juillet|julho|7月"),
    _words("august|srpen|srpna|agosto|aout|8月"),
    _words("september|zari|septiembre|septembre|setembro|9月"),
    _words("october|oktober|rijen|rijna|octubre|octobre|outubro|10月"),
    _words("november|listopad|noviembre|novembre|novembro|11月"),
    _words("december|dezember|prosinec|prosince|diciembre|decembre|dezembro|12月"),
)


def fold(text: str) -> str:
    """``text`` lower-cased, without diacritics, white space folded, with a space at both ends."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return f" {' '.join(plain.split())} "


def pattern(entries: tuple[str, ...]) -> str:
    """A regular expression for any of ``entries``, up to the end of the word."""
    found = (re.escape(entry.rstrip()) + ("" if entry.endswith(" ") else r"\w*") for entry in entries)
    return f"(?:{'|'.join(found)})"


def says(folded: str, entries: tuple[str, ...]) -> bool:
    """Whether a folded text holds one of ``entries`` at the start of a word."""
    return any(_at_word(entry, folded) for entry in entries)


def _at_word(entry: str, folded: str) -> bool:
    if not entry.isascii():
        return fold(entry).strip() in folded
    return entry in folded and re.search(rf"(?<![a-z0-9_]){re.escape(entry)}", folded) is not None
