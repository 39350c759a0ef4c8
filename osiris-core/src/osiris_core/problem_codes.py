"""Every problem code, once: what it means, why it is refused, how to mend it.

``osiris explain CODE`` and the documentation are made from this table. A category decides, together with the
validation mode, whether a problem refuses (``validate.severity``) and, unless a code says otherwise, the exit code:

    document, schema, safety   always refuse                                        exit 2
    catalog                    refuse under strict, warn under warn, unseen under off      2
    advice                     always a warning                                            2
    configuration, plugin      always refuse                                               5
    compile                    always refuse                                               3
    run                        ends the run                                                4

Codes are stable: a code is never given a new meaning. Add one at the end of its range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from osiris_core.errors import EXIT_BUG, EXIT_COMPILE, EXIT_CONFIGURATION, EXIT_INVALID, EXIT_RUN

Category = Literal[
    "document", "schema", "safety", "catalog", "advice", "configuration", "plugin", "compile", "run", "bug"
]

_EXIT_CODES: dict[Category, int] = {
    "document": EXIT_INVALID,
    "schema": EXIT_INVALID,
    "safety": EXIT_INVALID,
    "catalog": EXIT_INVALID,
    "advice": EXIT_INVALID,
    "configuration": EXIT_CONFIGURATION,
    "plugin": EXIT_CONFIGURATION,
    "compile": EXIT_COMPILE,
    "run": EXIT_RUN,
    "bug": EXIT_BUG,
}


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """One kind of problem. ``example`` shows something wrong and, after ``→``, the same thing mended."""

    code: str
    title: str
    category: Category
    exit_code: int
    why: str
    mend: str
    example: str = ""


CODES: dict[str, ProblemCode] = {}


def _code(
    code: str, category: Category, title: str, *, why: str, mend: str, example: str = "", exit_code: int | None = None
) -> None:
    if code in CODES:
        raise ValueError(f"{code} is defined twice")
    exit_code = _EXIT_CODES[category] if exit_code is None else exit_code
    CODES[code] = ProblemCode(code, title, category, exit_code, why, mend, example)


# fmt: off
# -- V0xx: the document ------------------------------------------------------------------------------------
_code(
    "OSI-V001", "document", "The file cannot be read",
    why="There is no file to look at: it is missing, a directory, or not readable by this user.",
    mend="Check the path and the file's permissions.",
    example="osiris validate pipelin.yaml → osiris validate pipeline.yaml",
)
_code(
    "OSI-V002", "document", "The file is not UTF-8",
    why="OML is UTF-8 text; any other encoding would change names and values silently.",
    mend="Save the file as UTF-8.",
    example="iconv -f latin1 -t utf-8 old.yaml > pipeline.yaml",
)
_code(
    "OSI-V003", "document", "The file is not YAML",
    why="YAML cannot be read from the marked place on. @, ` and ${…} mean something of their own there, unless quoted.",
    mend="Look at the marked place and just before it: indentation, quotes, brackets, a missing colon.",
    example='connection: @shop → connection: "@shop"',
)
_code(
    "OSI-V004", "document", "The file is empty",
    why="A pipeline needs at least oml_version, name and steps.",
    mend="Begin with: osiris new pipeline",
    example='oml_version: "0.0.1"',
)
_code(
    "OSI-V005", "document", "The file does not hold a mapping",
    why="A pipeline is a mapping of keys such as oml_version, name and steps; this is a list or a single value.",
    mend="Write the keys at the left margin.",
    example="- id: orders → steps:\n  - id: orders",
)
_code(
    "OSI-V006", "document", "A key is set twice",
    why="Most YAML readers keep the last of two equal keys in silence, so one of the two values would be lost.",
    mend="Remove one of them, or rename it.",
    example="table: orders\ntable: customers → table: customers",
)
_code(
    "OSI-V007", "document", "Anchors and aliases are not allowed",
    why="A few hundred bytes of aliases expand to gigabytes, and an alias hides what a step really does.",
    mend="Write the value out at each place, or make it a parameter.",
    example='where: *recent → where: [{column: day, op: ">=", value: "${params.since}"}]',
)
_code(
    "OSI-V008", "document", "Tags are not allowed",
    why="YAML tags (!name) ask a reader to build special values; OML has plain values only.",
    mend="Remove the tag. Quote the value to make it text.",
    example='limit: !!int "5" → limit: 5',
)
_code(
    "OSI-V009", "document", "The file holds more than one document",
    why="One file is one pipeline; what follows a second --- would never be looked at.",
    mend="Remove the --- and what follows it, or move what follows into a file of its own.",
)
_code(
    "OSI-V010", "document", "The file is too large, too deep or holds too many values",
    why="Files are at most 1 MiB, 64 levels deep and 100,000 values, so that bad input is refused at once.",
    mend="Split the pipeline, or move data out of it.",
)
_code(
    "OSI-V011", "document", "A key is not text",
    why="Keys are names. YAML reads an unquoted 1, true or null as a number, a truth value or nothing.",
    mend="Put the key in quotes.",
    example='1: orders → "1": orders',
)
_code(
    "OSI-V012", "document", "A character is not allowed",
    why="Control characters and exotic line breaks are invisible, and readers disagree about them.",
    mend="Delete the character, or write it as an escape in double quotes.",
    example=r'"a\u2028b"',
)
_code(
    "OSI-V013", "document", "A number cannot be kept",
    why="Infinity, not-a-number and numbers beyond all bounds have no exact meaning in a database.",
    mend="Write a finite number; put it in quotes only where text is wanted.",
    example='value: .inf → value: 1000000',
)
_code(
    "OSI-V014", "document", "Directives are not allowed",
    why="A line that begins with % changes how YAML itself is read.",
    mend="Remove the line.",
)
_code(
    "OSI-V016", "document", "Merge keys are not allowed",
    why="<< is no part of YAML 1.2, and it hides where a value comes from.",
    mend="Write the keys out.",
    example="<<: *defaults → limit: 100",
)
_code(
    "OSI-V020", "document", "The OML version is missing or unknown",
    why="A pipeline begins with its version, which says how the rest is to be read; only 0.0.1 exists.",
    mend='Write oml_version: "0.0.1", in quotes, as the first line.',
    example='oml_version: 0.2 → oml_version: "0.0.1"',
)
_code(
    "OSI-V021", "document", "This is the keboola dialect",
    why="oml_version 0.1.0 belongs to keboola/osiris, whose components and connections are named differently.",
    mend="Run: osiris upgrade FILE --write. By hand: version, components' names, connection as a key of the step.",
    example='component: mysql.extractor → component: mysql.table',
)
_code(
    "OSI-V022", "document", "There is nothing to upgrade",
    why="osiris upgrade translates oml_version 0.1.0 only, the dialect of keboola/osiris.",
    mend="Run: osiris validate FILE",
)
_code(
    "OSI-V050", "document", "The command line is not understood",
    why="There is no such command or option, or an argument is missing.",
    mend="Run: osiris --help, or osiris COMMAND --help",
    example="osiris valdate orders.yaml → osiris validate orders.yaml",
)
_code(
    "OSI-V051", "document", "The engine is not known",
    why="No plugin offers an engine of this name.",
    mend="Run: osiris engines list",
    example="--engine locl → --engine local",
)
_code(
    "OSI-V052", "document", "A file is in the way",
    why="The command makes new files and never overwrites one.",
    mend="Choose another place, or move the file away.",
)
_code(
    "OSI-V053", "document", "The problem code is not known",
    why="No problem has this code.",
    mend="osiris explain lists all codes.",
    example="osiris explain V20 → osiris explain OSI-V020",
)
_code(
    "OSI-V090", "schema", "A plugin refuses this step",
    why="A plugin's own check found something that only it can know.",
    mend="Follow its message.",
)

# -- V1xx: keys, values and steps --------------------------------------------------------------------------
_code(
    "OSI-V101", "schema", "A key is missing",
    why="Without it the step (or the pipeline) cannot be understood.",
    mend="Add the key.",
    example="config: {write_mode: append} → config: {table: orders, write_mode: append}",
)
_code(
    "OSI-V102", "schema", "A key is not known",
    why="Nothing reads this key, so it would be ignored; more often than not it is a misspelling.",
    mend="Correct its name, or remove it. `osiris components spec NAME` lists what a component knows.",
    example="tabel: orders → table: orders",
)
_code(
    "OSI-V103", "schema", "A value has the wrong type",
    why="Each key takes one kind of value: text, a number, a list, a mapping. In YAML, quotes make text, [ ] a list.",
    mend="Write a value of the type the message names.",
    example='limit: "10" → limit: 10',
)
_code(
    "OSI-V104", "schema", "A value is not one of those allowed",
    why="The key knows a fixed set of values.",
    mend="Use one of them.",
    example="write_mode: upsert → write_mode: merge",
)
_code(
    "OSI-V105", "schema", "A value is out of bounds",
    why="It is too small, too large, too short, too long, or does not match the pattern the key asks for.",
    mend="Use a value within the bounds the message names; for no limit, remove limit.",
    example="limit: 0 → limit: 1",
)
_code(
    "OSI-V106", "schema", "Keys do not go together",
    why="The component's spec says which keys need or exclude each other.",
    mend="Add or remove the key the message names.",
    example="write_mode: merge → write_mode: merge, merge_keys: [id]",
)
_code(
    "OSI-V107", "schema", "A list holds the same value twice",
    why="The second one would change nothing, or would be written twice.",
    mend="Remove one of them.",
    example="columns: [id, id] → columns: [id]",
)
_code(
    "OSI-V110", "schema", "There are no steps",
    why="A pipeline without steps does nothing.",
    mend="Add a step that reads and one that writes.",
)
_code(
    "OSI-V111", "schema", "A step id is not an identifier",
    why="The id names a file of the compiled pipeline and the view a transform reads, so it must be a plain name.",
    mend="Use letters, digits and _, at most 63, not beginning with a digit.",
    example="id: ../../x → id: orders",
)
_code(
    "OSI-V112", "schema", "Two steps have the same id",
    why="needs could not say which of them is meant.",
    mend="Rename one of them.",
)
_code(
    "OSI-V113", "schema", "A step needs another that does not exist",
    why="There is no step of this id to take rows from.",
    mend="Write the id of a step of this file.",
    example="needs: [order] → needs: [orders]",
)
_code(
    "OSI-V114", "schema", "A step needs itself",
    why="It would wait for its own rows for ever.",
    mend="Name the step that provides the rows.",
)
_code(
    "OSI-V115", "schema", "Steps need each other in a circle",
    why="None of them could begin.",
    mend="Remove one of the dependencies the message shows.",
    example="a needs b, b needs a → b needs a",
)
_code(
    "OSI-V116", "schema", "A step is named twice in needs",
    why="A step hands over its rows once.",
    mend="Remove one of them.",
)
_code(
    "OSI-V117", "schema", "A reading step cannot need another",
    why="A reader takes its rows from its connection; rows of another step would be ignored.",
    mend="Remove needs, or use a transform to combine steps.",
)
_code(
    "OSI-V118", "schema", "A writing step needs exactly one step",
    why="A writer takes the rows of one step. To combine several, put a transform between.",
    mend="Name exactly one step in needs.",
    example="needs: [orders, customers] → needs: [joined]",
)
_code(
    "OSI-V119", "schema", "A transform needs at least one step",
    why="It has no rows to work on.",
    mend="Name the steps it reads in needs; each id is a table in its SQL.",
)
_code(
    "OSI-V120", "schema", "The component is not known",
    why="No installed plugin offers a component of this name.",
    mend="Correct the name, or install the plugin. `osiris components list` shows what there is.",
    example="component: mysql.tabel → component: mysql.table",
)
_code(
    "OSI-V121", "schema", "The component does not have this mode",
    why="A component reads, writes or transforms, as its spec says.",
    mend="Use one of its modes, or another component.",
    example="component: duckdb.sql, mode: read → mode: transform",
)
_code(
    "OSI-V122", "schema", "The component does not support this",
    why="Its spec says that this operation is not implemented or not supported.",
    mend="Use an operation it supports, or another component. `osiris components list` shows capabilities.",
)
_code(
    "OSI-V123", "schema", "The step needs a connection",
    why="The component talks to a system, and the step does not say to which.",
    mend='Add connection: "@alias" with an alias of osiris_connections.yaml.',
)
_code(
    "OSI-V124", "schema", "The component takes no connection",
    why="It works on rows only, so a connection would mean nothing.",
    mend="Remove connection.",
)
_code(
    "OSI-V125", "schema", "The component delivers less than required",
    why="The step requires exactly-once delivery, which the component promises on another channel or not at all.",
    mend="Use a channel or component that delivers exactly once, or require: at_least_once.",
)
_code(
    "OSI-V126", "schema", "The connection belongs to another system",
    why="A connection's fields fit one family of components.",
    mend="Use a connection of the component's family, or the component of the connection's family.",
    example='component: mysql.table, connection: "@warehouse" (supabase) → component: supabase.table',
)
_code(
    "OSI-V127", "schema", "A connection is written wrongly",
    why="A connection is named by its alias, with @ before it.",
    mend='Write connection: "@alias", in quotes.',
    example='connection: shop → connection: "@shop"',
)
_code(
    "OSI-V130", "schema", "The parameter is not declared",
    why="${params.NAME} takes its value from params at the top of the file, and this name is not there.",
    mend="Declare it under params, or correct the name.",
    example='${params.sinse} → ${params.since}',
)
_code(
    "OSI-V131", "schema", "The parameter has no value",
    why="It has no default, and none was given.",
    mend="Give it with --param NAME=VALUE, or add a default.",
    example="osiris run orders.yaml --param since=2026-01-01",
)
_code(
    "OSI-V132", "schema", "The parameter's value has the wrong type",
    why="The value cannot be read as the type that params declares.",
    mend="Give a value of that type.",
    example="--param limit=many → --param limit=100",
)
_code(
    "OSI-V133", "schema", "A parameter's declaration is wrong",
    why="A parameter is declared as {type: ..., default: ...}; its name is an identifier.",
    mend="Write it like: since: {type: date, default: 2026-01-01}",
)
_code(
    "OSI-V134", "schema", "A reference is not understood",
    why="Only ${params.NAME} is replaced in a pipeline. Environment variables belong in osiris_connections.yaml.",
    mend="Write ${params.NAME}, or $${ for a plain ${.",
    example="${SINCE} → ${params.since}",
)
_code(
    "OSI-V135", "schema", "A parameter was given that does not exist",
    why="--param names a parameter the pipeline does not declare.",
    mend="Correct the name, or declare it under params.",
)
_code(
    "OSI-V136", "advice", "A parameter is never used",
    why="Nothing refers to it; perhaps a ${params.NAME} is misspelt or was removed.",
    mend="Use it, or remove it.",
)
_code(
    "OSI-V141", "advice", "A step's rows go nowhere",
    why="No writing step takes them, directly or through a transform.",
    mend="Add a writing step, or remove this one.",
)
_code(
    "OSI-V142", "schema", "Two steps write the same table",
    why="Their order is not defined, and the one that replaces the table would undo what the other did, or not.",
    mend="Let one step need the other's source through a transform, or write to different tables.",
)
_code(
    "OSI-V143", "schema", "A writing step has no rows to give",
    why="Rows end at a writer; nothing can take them from it.",
    mend="Name the step that provides the rows.",
)
_code(
    "OSI-V144", "schema", "Snake case has no name for a column",
    why="With naming: snake two columns would have one name, or one would have none: it has no letter or digit,"
        " letters beyond a-z, or more than 63 bytes.",
    mend="Give the column another name in a query or a transform, leave it out, or write naming: preserve.",
    example='SELECT "Order ID", order_id FROM orders → SELECT "Order ID", order_id AS order_number FROM orders',
)
_code(
    "OSI-V150", "schema", "The SQL reads a table that is no input",
    why="A transform sees only the steps named in needs, each as a table of that name.",
    mend="Add the step to needs, or correct the name in the SQL.",
    example="FROM order (needs: [orders]) → FROM orders",
)
_code(
    "OSI-V151", "advice", "An input is never read",
    why="The step is named in needs, but its SQL does not use it.",
    mend="Remove it from needs, or use it in the SQL.",
)
_code(
    "OSI-V160", "schema", "DuckDB cannot read the SQL",
    why="The text parses as SQL, and DuckDB itself still refuses it.",
    mend="Follow DuckDB's message.",
)

# -- V2xx: found against the catalogue ---------------------------------------------------------------------
_code(
    "OSI-V201", "catalog", "The table does not exist",
    why="Discovery has not seen it behind this connection: it was renamed or dropped, or never existed.",
    mend="Correct the name. `osiris discover @alias` lists what exists.",
    example="table: ordrs → table: orders",
)
_code(
    "OSI-V202", "catalog", "The column does not exist",
    why="The table has no column of exactly this name.",
    mend="Correct the name. `osiris discover @alias --table NAME` lists its columns.",
    example="columns: [custmer_id] → columns: [customer_id]",
)
_code(
    "OSI-V203", "catalog", "A merge key is missing from the rows",
    why="A merge finds rows by their keys, so the source must deliver every one of them.",
    mend="Read the column too, or merge by other keys.",
)
_code(
    "OSI-V204", "catalog", "The merge keys are not a unique key",
    why="Without a unique key on exactly these columns, one row of the source could hit several of the target.",
    mend="Use the columns of a unique key of the target, or create one.",
    example="merge_keys: [customer_id] → merge_keys: [id]",
)
_code(
    "OSI-V205", "catalog", "A merge key may be NULL",
    why="NULL equals nothing, so such a row would be inserted again with every run.",
    mend="Declare the column NOT NULL, or use another key.",
)
_code(
    "OSI-V206", "catalog", "A generated column cannot be written",
    why="The server computes it.",
    mend="Leave it out of the columns that are read, or use another merge key.",
)
_code(
    "OSI-V207", "catalog", "The column's type cannot be represented",
    why="The component has no faithful way to carry this type, and nothing is converted with loss in silence.",
    mend="Leave the column out, or convert it in a query.",
)
_code(
    "OSI-V208", "catalog", "The value cannot be compared with the column",
    why="The condition's value has another type than the column; servers then compare text, or nothing.",
    mend="Write a value of the column's type.",
    example='{column: total, op: ">", value: many} → value: 10',
)
_code(
    "OSI-V209", "catalog", "The target lacks a column",
    why="The source delivers a column that the target table does not have.",
    mend="Leave it out, add it to the table, or set on_drift: add_columns or ignore_new.",
)
_code(
    "OSI-V210", "catalog", "The types do not fit",
    why="Values of the source column cannot be kept in the target column without loss.",
    mend="Convert the column in a query or transform, or change the target's type.",
)
_code(
    "OSI-V211", "advice", "A merge key ignores case",
    why="One side compares this text without regard to case, the other may not: rows could double.",
    mend="Make sure that the key is spelt alike everywhere, or merge by another key.",
)
_code(
    "OSI-V212", "catalog", "The SQL names a table that does not exist",
    why="Discovery has not seen it behind this connection.",
    mend="Correct the name. `osiris discover @alias` lists what exists.",
)
_code(
    "OSI-V213", "catalog", "The SQL names a column that does not exist",
    why="None of the tables it reads has a column of this name.",
    mend="Correct the name.",
)
_code(
    "OSI-V215", "catalog", "A required column gets no value",
    why="The target's column is NOT NULL and has no default, and the source does not deliver it.",
    mend="Deliver the column, or give it a default in the target.",
)
_code(
    "OSI-V216", "catalog", "The target is not a table",
    why="Views cannot be written.",
    mend="Name the table behind the view.",
)
_code(
    "OSI-V217", "catalog", "The column cannot be used this way",
    why="An incremental cursor needs a column that grows; a partition needs a number or date.",
    mend="Use a column of such a type.",
)
_code(
    "OSI-V218", "advice", "Columns are left out",
    why="Their types cannot be carried faithfully, and a step without columns reads all that can.",
    mend="Name the columns to read, or convert the others in a query.",
)
_code(
    "OSI-V219", "catalog", "The channel cannot do this",
    why="The step goes over REST, where a request is the largest thing that happens at once.",
    mend="Use a connection with the SQL channel, or leave the setting out.",
    example="channel: rest with write_mode: replace → channel: sql",
)
_code(
    "OSI-V290", "catalog", "The catalogue could not be consulted", exit_code=EXIT_CONFIGURATION,
    why="The system did not answer, or a secret is not set, so what depends on it was not checked; a run would exit 5.",
    mend="Run `osiris doctor`, or set what the message names. --mode off leaves these checks out.",
)
_code(
    "OSI-V291", "advice", "The catalogue was not consulted",
    why="Without asking the system, tables and columns were not checked, or only against an old answer.",
    mend="Validate again without --offline.",
)

# -- V3xx: safety ------------------------------------------------------------------------------------------
_code(
    "OSI-V301", "safety", "A secret is written into the file",
    why="Pipelines are shared, stored and shown; what is written here is no secret any more.",
    mend="Put it in the environment, name it in osiris_connections.yaml as ${NAME}, and change it where it was used.",
    example="password: hunter2 → (osiris_connections.yaml) password: ${SHOP_PASSWORD}",
)
_code(
    "OSI-V302", "safety", "A path leaves its directory",
    why="A step may touch files of its connection's directory only; absolute paths and .. reach outside.",
    mend="Use a path below that directory.",
    example="path: ../../etc/passwd → path: data/orders.csv",
)
_code(
    "OSI-V303", "safety", "More than one SQL statement",
    why="A query is one SELECT; what follows a semicolon could change data.",
    mend="Keep one statement.",
    example="SELECT 1; DROP TABLE orders → SELECT 1",
)
_code(
    "OSI-V304", "safety", "The SQL is not a SELECT",
    why="A query or transform only reads. Writing is done by writing steps, which are atomic and recorded.",
    mend="Write one SELECT (WITH ... SELECT is fine).",
    example="DELETE FROM orders → SELECT * FROM orders",
)
_code(
    "OSI-V305", "safety", "The SQL reaches for something that is not allowed",
    why="It calls a function that is not known to be harmless, or reads a file or the server's own tables: "
    "around every check Osiris makes.",
    mend="Read files and other systems with steps of their own. Call a function of your own in a view, and read that.",
    example="FROM read_csv('/etc/passwd') → FROM orders",
)
_code(
    "OSI-V306", "schema", "The SQL cannot be parsed",
    why="The text is not SQL of this system.",
    mend="Look at the marked place.",
    example="SELEC id FROM orders → SELECT id FROM orders",
)
_code(
    "OSI-V307", "safety", "The condition is not a condition",
    why="where_sql is pasted after WHERE, so it must be one expression that is true or false, and nothing else.",
    mend="Write an expression such as: total > 10 AND status = 'paid'",
    example="1=1 UNION SELECT ... → total > 10",
)
_code(
    "OSI-V308", "safety", "A step may not change this connection field",
    why="The component's spec allows a step to set some fields of its connection, and this is not one of them.",
    mend="Remove it from the step; for another value, make a second connection in osiris_connections.yaml.",
)
_code(
    "OSI-V309", "safety", "The SELECT locks or writes",
    why="FOR UPDATE, INTO and the like change the source.",
    mend="Remove the clause.",
    example="SELECT * FROM orders FOR UPDATE → SELECT * FROM orders",
)

# -- C0xx: project, connections, secrets -------------------------------------------------------------------
_code(
    "OSI-C001", "configuration", "The project or its configuration is wrong",
    why="osiris.yaml, osiris_connections.yaml or an option cannot be used as it is.",
    mend="Follow the message; `osiris doctor` looks at everything.",
)
_code(
    "OSI-C002", "configuration", "The connection is not known",
    why="osiris_connections.yaml has no connection of this alias.",
    mend="Correct the alias, or add it. `osiris connections list` shows what there is.",
    example='connection: "@shp" → connection: "@shop"',
)
_code(
    "OSI-C003", "configuration", "The connections file is not well formed",
    why="osiris_connections.yaml holds connections (alias: fields) and profiles, nothing else.",
    mend="Correct the place the message shows.",
    example="connection: {shop: …} → connections: {shop: …}",
)
_code(
    "OSI-C004", "configuration", "A connection has a field that is not known",
    why="The component's connection schema does not have it, so it would change nothing.",
    mend="Correct its name. `osiris components spec NAME` shows the fields.",
    example="prot: 3306 → port: 3306",
)
_code(
    "OSI-C005", "configuration", "A connection lacks a field",
    why="The component cannot connect without it.",
    mend="Add it. `osiris components spec NAME` shows the fields.",
    example="shop: {component: mysql, host: db} → add database and user",
)
_code(
    "OSI-C006", "configuration", "A field of a connection has a value that is not allowed",
    why="Its type or its bounds are not those of the component's connection schema.",
    mend="Correct it. The message never repeats the value, which may be a secret.",
    example='port: "abc" → port: 3306',
)
_code(
    "OSI-C007", "configuration", "A step may not change this field of the connection",
    why="The component allows steps to override only the fields that its spec marks.",
    mend="Set the field in the connection, or make a second connection.",
)
_code(
    "OSI-C008", "configuration", "A secret stands in the connections file",
    why="Files end up in repositories, backups and messages; secrets come from the environment only.",
    mend="Name a variable instead, set it, and change the secret, which has been written down.",
    example='password: hunter2 → password: "${SHOP_PASSWORD}"',
)
_code(
    "OSI-C009", "configuration", "A reference to a variable is written wrongly",
    why="A reference is ${NAME} with letters, digits and underscores.",
    mend="Correct the name, or write $${ for a literal ${.",
    example='host: "${db-host}" → host: "${DB_HOST}"',
)
_code(
    "OSI-C010", "configuration", "The system cannot be reached",
    why="It did not answer, or refused the login or a permission.",
    mend="Run: osiris doctor",
)
_code(
    "OSI-C011", "configuration", "A connection names a component family that is not known",
    why="`component` names the system, which is what stands before the dot in component names.",
    mend="Correct it, or install the plugin that has it. `osiris components list` shows what there is.",
    example="component: mysq → component: mysql",
)
_code(
    "OSI-C012", "configuration", "Nothing is cached for a connection",
    why="--offline forbids to ask the system, and its catalog was never cached for this connection as it is now.",
    mend="Run once without --offline, or: osiris discover @alias",
    example="osiris validate orders.yaml --offline → osiris discover @shop",
)
_code(
    "OSI-C020", "configuration", "Secrets are missing",
    why="The connection names environment variables that are not set.",
    mend="Set them, or give a dotenv file with --secrets-file.",
    example="osiris run orders.yaml --secrets-file .env",
)
_code(
    "OSI-C021", "configuration", "The secrets file cannot be used",
    why="It is missing, not readable, or a line is not NAME=value.",
    mend="Correct the path or the line; # begins a comment, quotes are allowed.",
    example="osiris run orders.yaml --secrets-file .env",
)
_code(
    "OSI-C030", "configuration", "The package of an LLM provider is missing",
    why="Each provider's client is an optional extra of osiris-llm.",
    mend="Install what the message names.",
    example='pip install "osiris-llm[anthropic]"',
)
_code(
    "OSI-C031", "configuration", "No key for an LLM provider",
    why="The provider's key is not set, or the provider does not accept it.",
    mend="Set the environment variable that the message names.",
)
_code(
    "OSI-C032", "configuration", "The LLM provider does not answer",
    why="The request failed for a reason that is not the request's own: network, quota, outage.",
    mend="Try again later, or choose another provider.",
)
_code(
    "OSI-C033", "configuration", "The LLM provider or model is not known",
    why="No plugin offers this provider, or the provider does not have this model.",
    mend="Use one of those that the message names.",
)
_code(
    "OSI-C040", "configuration", "A host name is not known",
    why="The name of the server could not be resolved to an address.",
    mend="Check the spelling of host, and the DNS of this machine.",
    example="host: db.exmaple.com → host: db.example.com",
)
_code(
    "OSI-C041", "configuration", "A server does not answer",
    why="Nothing listens at host and port, or a firewall is between.",
    mend="Check host, port and that the server runs. `osiris doctor` tries each step.",
)
_code(
    "OSI-C042", "configuration", "TLS failed",
    why="The server does not encrypt, or its certificate is not trusted, names another host or is not checked.",
    mend="Check ssl_mode and ssl_ca of the connection.",
    example="ssl_mode: verify_ca → add ssl_ca: /path/of/ca.pem",
)
_code(
    "OSI-C043", "configuration", "The server refuses the login",
    why="User, password or the host that the client comes from do not fit an account.",
    mend="Check user and password. On MySQL an anonymous account ''@'localhost' shadows 'user'@'%'.",
)
_code(
    "OSI-C044", "configuration", "A permission is missing",
    why="The account may log in, but not do what the step needs.",
    mend="Grant what the message names.",
    example="GRANT SELECT ON shop.* TO 'reader'@'%'",
)
_code(
    "OSI-C045", "configuration", "The server is too old",
    why="Osiris is not tested with this version and relies on newer behaviour.",
    mend="Update the server.",
)
_code(
    "OSI-C046", "configuration", "The database does not exist",
    why="The server has no such database, or does not show it to this account.",
    mend="Check the spelling of database.",
)
_code(
    "OSI-C047", "configuration", "The server has no connection to spare",
    why="All of its connections, or this account's, are in use.",
    mend="Run later, lower --parallel, or raise the server's limit.",
)
_code(
    "OSI-C048", "configuration", "The pooler changes sessions",
    why="A pooler in transaction mode gives each transaction another server session, and something needed the same.",
    mend="Use the pooler in session mode (Supabase: port 5432), or the direct host.",
)
_code(
    "OSI-C049", "configuration", "The key may not write",
    why="A publishable (anon) key is for browsers: under row level security its writes are refused or do nothing.",
    mend="Use the secret key (sb_secret_… or service_role) of the project's API settings.",
)

# -- P0xx: plugins and specs -------------------------------------------------------------------------------
_code(
    "OSI-P001", "plugin", "A plugin is broken",
    why="It could not be loaded, or failed while it was asked something.",
    mend="Mend, update or remove it. `osiris plugins list` shows the cause.",
)
_code(
    "OSI-P002", "plugin", "Two plugins offer the same thing",
    why="Which of them is meant cannot be decided.",
    mend="Remove one, or allow only one with OSIRIS_PLUGINS.",
    example="OSIRIS_PLUGINS=mysql,duckdb osiris components list",
)
_code(
    "OSI-P003", "plugin", "A component spec is wrong",
    why="The plugin's spec.yaml cannot be read or breaks the rules for specs.",
    mend="Run: osiris components check PATH",
)
_code(
    "OSI-P004", "plugin", "A driver cannot be loaded",
    why="The module that the spec names, or something it imports, is missing or broken.",
    mend="Install what the message names.",
)
_code(
    "OSI-P005", "plugin", "A plugin gave no answer",
    why="No plugin answered a question that one must answer.",
    mend="Update the plugin that owns the component.",
)
_code(
    "OSI-P010", "plugin", "The spec does not follow spec.schema.json",
    why="A required key is missing, a key is not known, or a value has the wrong form.",
    mend="Follow the message.",
    example="name: mysql → name: mysql.table",
)
_code(
    "OSI-P011", "plugin", "A schema in the spec is not valid JSON Schema",
    why="configSchema and connectionSchema follow JSON Schema 2020-12; editors and models read them too.",
    mend="Correct the keyword at the place shown.",
    example="type: strng → type: string",
)
_code(
    "OSI-P012", "plugin", "An example of the spec does not validate",
    why="Examples are what people and models copy; each must be a valid config of its mode.",
    mend="Correct the example or the schema.",
)
_code(
    "OSI-P013", "plugin", "Capabilities and modes of the spec do not agree",
    why="What is full must belong to a mode, and each mode needs at least one capability that is full.",
    mend="Add the mode, or change the capability.",
    example="modes: [read], write.append: full → modes: [read, write]",
)
_code(
    "OSI-P014", "plugin", "A reference in the spec leads nowhere",
    why="$ref may name #/$defs/… of the same schema or a shared definition of Osiris.",
    mend="Correct the name.",
    example='$ref: "urn:osiris:schema:common:v1#/$defs/tabel" → …/table',
)
_code(
    "OSI-P015", "plugin", "A secret of the spec is no field of the connection",
    why="secrets are JSON Pointers into connectionSchema; one that leads nowhere would protect nothing.",
    mend="Correct the pointer, or add the property.",
    example="secrets: [/pasword] → secrets: [/password]",
)
_code(
    "OSI-P020", "plugin", "Checking SQL needs sqlglot",
    why="The step holds SQL, and the package that parses it is not installed; unparsed SQL is never run.",
    mend="Run: pip install 'osiris-core[sql]'",
)

# -- M0xx: compile and manifest ----------------------------------------------------------------------------
_code(
    "OSI-M001", "compile", "The pipeline cannot be compiled",
    why="Only compiling could find this: a compile hook failed, or the compiled directory was changed.",
    mend="Follow the message; compile again.",
)
_code(
    "OSI-M002", "compile", "A compiled config cannot be written down",
    why="A compile hook put something into a step's config that is not JSON, such as a date or a set.",
    mend="Mend the plugin that owns the component the message names, or remove it.",
)
_code(
    "OSI-M003", "compile", "The output directory holds other files",
    why="compile replaces cfg/ as a whole, and the cfg/ that is there was not made by it.",
    mend="Choose another --out.",
    example="osiris compile orders.yaml --out . → osiris compile orders.yaml --out build/orders",
    exit_code=EXIT_INVALID,
)
_code(
    "OSI-M004", "compile", "There is no compiled pipeline",
    why="A compiled pipeline is a directory that holds cfg/manifest.yaml.",
    mend="Check the path, or run: osiris compile FILE --out DIR",
    exit_code=EXIT_INVALID,
)
_code(
    "OSI-M005", "compile", "The compiled pipeline was changed",
    why="A file of cfg/ is not the one that compiling wrote: it was edited, damaged, mixed with another or is missing.",
    mend="Change the pipeline and compile again; a compiled directory is never edited by hand.",
    example="osiris compile orders.yaml --out build/orders",
)
_code(
    "OSI-M006", "compile", "Other plugins are installed than it was compiled with",
    why="The manifest names the plugins, versions and specs it was compiled with, so that it does the same everywhere.",
    mend="Install the versions the message names, or compile again.",
)
_code(
    "OSI-M007", "compile", "The manifest is of another version",
    why="It was compiled by an Osiris that writes another form of manifest.",
    mend="Compile again with this version, or run it with the one that compiled it.",
)
_code(
    "OSI-M008", "compile", "A connection is not the one compiled for",
    why="A manifest holds a fingerprint of each connection's open fields, so it never runs elsewhere unseen.",
    mend="Run with the profile it was compiled with, or compile again.",
)
_code(
    "OSI-M090", "compile", "A plugin refuses the manifest",
    why="A plugin's policy does not allow what the compiled pipeline would do.",
    mend="Follow its message.",
)

# -- R0xx: runs --------------------------------------------------------------------------------------------
_code(
    "OSI-R001", "run", "A step failed",
    why="The source or target refused while rows moved; the target holds what it held before.",
    mend="Follow the message, then run again.",
)
_code(
    "OSI-R002", "run", "A schema changed since the pipeline was compiled",
    why="The source or target is no longer what the manifest was made for.",
    mend="Compile again, look at the difference, then run.",
)
_code(
    "OSI-R003", "run", "The rows do not add up",
    why="Rows read are not rows written, deduplicated and skipped; the step was rolled back.",
    mend="Run again; if it persists, report it.",
)
_code(
    "OSI-R004", "run", "A step stopped because another one failed",
    why="The steps of one branch stop together; what this one had done was rolled back.",
    mend="Mend what the failed step reports, then run again.",
)
_code(
    "OSI-R005", "run", "Cleaning up after a step failed",
    why="A connection or file could not be closed properly; the step's own outcome is not touched by it.",
    mend="Nothing, unless it comes again: then look at the connection that the message names.",
)
_code(
    "OSI-R010", "run", "The disk is full",
    why="Rows that several steps read are kept on disk while a run goes on, and file targets are written there.",
    mend="Free some space, then run again: nothing is left half done.",
)
_code(
    "OSI-R011", "run", "Out of memory",
    why="A batch is bounded in bytes, but a single huge value, or many branches side by side, may need more.",
    mend="Lower --parallel, leave the column with the huge values out, or give the process more memory.",
)
_code(
    "OSI-R012", "run", "A file cannot be used",
    why="The system refused to open, read or write it.",
    mend="Look at the path and the permissions that the message names.",
)
_code(
    "OSI-R020", "run", "The connection to a server was lost",
    why="The server stopped, a network broke or a time limit closed the connection; nothing was committed.",
    mend="Run again: a plain re-run is safe.",
)
_code(
    "OSI-R021", "run", "Another transaction held the rows",
    why="A deadlock or a lock that was not released in time; nothing was committed.",
    mend="Run again: a plain re-run is safe.",
)
_code(
    "OSI-R022", "run", "The server has no space or memory left",
    why="It could not store the rows; nothing was committed.",
    mend="Free or add space on the server, then run again.",
)
_code(
    "OSI-R023", "run", "The server is read-only",
    why="It is a replica, or was made read-only.",
    mend="Let the connection name the primary.",
)
_code(
    "OSI-R024", "run", "A statement was stopped",
    why="An administrator or a time limit of the server ended it; nothing was committed.",
    mend="Run again, or raise the limit that the message names.",
)
_code(
    "OSI-R025", "run", "A row is larger than the server accepts",
    why="The server limits the size of one packet.",
    mend="Raise max_allowed_packet on the server.",
)
_code(
    "OSI-R026", "run", "The server refuses a statement",
    why="The text of query or where_sql is not valid on this server.",
    mend="Mend it where the message points.",
)
_code(
    "OSI-R027", "run", "The ledger cannot be used",
    why="It makes a re-run safe; the account may not create or write _osiris_commits, or a file's marker was edited.",
    mend="Have an administrator run the message's statements. Restore the marker, or remove it if no run is under way.",
)
_code(
    "OSI-R028", "run", "The target cannot roll back",
    why="Its storage engine has no transactions, so a killed run would leave part of the rows.",
    mend="Convert it (ALTER TABLE … ENGINE=InnoDB), or write require: at_least_once.",
)
_code(
    "OSI-R029", "run", "Another run is writing the table",
    why="One run at a time writes a table; the other did not finish in time.",
    mend="Run again when it has finished.",
)
_code(
    "OSI-R090", "run", "The run was cancelled",
    why="It received SIGINT or SIGTERM and rolled everything back.",
    mend="Run again; nothing is left half done.",
)

# -- R1xx: data and types ----------------------------------------------------------------------------------
_code(
    "OSI-R101", "run", "A column's type is not known to the target",
    why="The stream carries a type that this target has no faithful place for.",
    mend="Convert the column in a query or transform, or leave it out.",
)
_code(
    "OSI-R102", "run", "A value does not fit its column",
    why="The target would refuse, cut or round it; nothing is altered in silence.",
    mend="Widen the target's column, or cast in a query or transform.",
)
_code(
    "OSI-R103", "run", "A column refuses NULL",
    why="The source has NULL where the target's column is NOT NULL.",
    mend="Fill it in a query or transform, or allow NULL in the target.",
)
_code(
    "OSI-R104", "run", "A key exists already",
    why="The target has a row with the same primary or unique key.",
    mend="Use write_mode: merge, or mend the source.",
)
_code(
    "OSI-R105", "run", "A name cannot be used",
    why="The system has no table or column of such a name.",
    mend="Rename it in a query or transform.",
)
_code(
    "OSI-R106", "run", "A date does not exist",
    why="MySQL stores 0000-00-00 and 2024-02-00; other systems, and calendars, have no such day.",
    mend="Mend the rows, or set on_invalid_date: null, which is counted.",
    example="config: {table: orders, on_invalid_date: \"null\"}",
)
_code(
    "OSI-R107", "run", "A referenced row is missing",
    why="A foreign key of the target refers to a row that is not there.",
    mend="Load the referenced table first: put its step into needs.",
)
_code(
    "OSI-R108", "run", "A merge key is NULL",
    why="NULL equals nothing, so the row could never be found again.",
    mend="Filter those rows, or choose other merge_keys.",
)
_code(
    "OSI-R109", "run", "A merge key comes twice",
    why="Which of the rows should win is not said.",
    mend="Make the source unique, or set dedupe.",
    example="dedupe: {keep: last, order_by: [{column: updated_at}]}",
)
_code(
    "OSI-R110", "run", "A geometry lost its SRID",
    why="Geometries travel as plain WKB, which has no place for the reference system.",
    mend="Set the SRID in the target, or leave the column out.",
)
_code(
    "OSI-R111", "run", "A column cannot be a cursor, or divide a read",
    why="It must be read, and have one order that both sides agree on.",
    mend="Choose a numeric, date or timestamp column, and a lag of its kind.",
)
_code(
    "OSI-R112", "run", "The order of a query may be lost",
    why="Something is wrapped around the query (a condition, a cast of FLOAT), and servers drop an ORDER BY inside.",
    mend="Write order_by in the step instead of ORDER BY in the query.",
    example='query: "SELECT … ORDER BY id" → order_by: [{column: id}]',
)
_code(
    "OSI-R113", "run", "The server sent what its type does not allow",
    why="The bytes of a value are not text, a number or a date as the column's type says.",
    mend="Cast the column in a query; if it is plain data of that type, report it.",
)
_code(
    "OSI-R114", "run", "Snake case does not fit the columns",
    why="As OSI-V144, or a key is spelt as in the source; the columns were not known before. Nothing was written.",
    mend="Rename the column in a query or a transform, or write naming: preserve; spell keys as in the target.",
)
_code(
    "OSI-R115", "run", "The source was not compared",
    why="The source's server sums its rows up for verify: checksum. A query, a limit or a view may give others then, "
    "and a REST API no sums.",
    mend="Read a table with columns and where, over SQL; what was read is compared with the target either way.",
)
_code(
    "OSI-R120", "run", "A text holds the character U+0000",
    why="PostgreSQL cannot hold it, in text or in jsonb; leaving it out in silence would alter the value.",
    mend="Mend the rows, or set on_nul: strip or replace, which is counted.",
    example="config: {table: notes, write_mode: append, on_nul: strip}",
)
_code(
    "OSI-R121", "run", "A constraint refuses a row",
    why="A check, an exclusion or a generated column of the target does not take what the source has.",
    mend="Filter those rows, leave the column out, or change the constraint.",
)
_code(
    "OSI-R122", "run", "The target is no table",
    why="Views are not written: what would happen to the rows is up to their rules.",
    mend="Name the table below the view.",
)
_code(
    "OSI-R123", "run", "Replacing would break references",
    why="Other tables refer to this one, and without its key the rows cannot be replaced one by one.",
    mend="Read the columns of its primary key too, or use write_mode: merge with delete_missing.",
)
_code(
    "OSI-R124", "run", "Row level security applies",
    why="Policies of the table hide rows from this user: they are neither seen nor changed.",
    mend="Use the table's owner, or a role with BYPASSRLS, when all rows are meant.",
)
_code(
    "OSI-R125", "run", "The connection was lost while committing",
    why="The ledger said whether the commit took place, so nothing is in doubt.",
    mend="Nothing to do; look at the network when it comes again.",
)
_code(
    "OSI-R126", "run", "Ranges are read from snapshots of their own",
    why="Each range has its own connection; rows that change meanwhile may be seen in two states.",
    mend="Leave partition out when one state of the whole table matters.",
)
_code(
    "OSI-R127", "run", "Nothing is encrypted",
    why="The server offers no TLS and the connection does without, so the network sees rows and the login.",
    mend="Give the server a certificate, and set ssl_mode to required or, better, verify_identity.",
)
_code(
    "OSI-R128", "run", "A key or a comment of the source was left out",
    why="The target's system cannot have it as it is: a type or a length that no key takes, a comment too long for it.",
    mend="Nothing to do for the rows; make the table yourself where the key or the comment matters.",
)

# -- X: bugs -----------------------------------------------------------------------------------------------
_code(
    "OSI-X001", "bug", "A bug in Osiris",
    why="Something happened that must not happen, whatever the input.",
    mend="Report it with the command and the output of `osiris doctor`.",
)
# fmt: on
