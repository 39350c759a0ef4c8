"""``file.table``: paths, formats, inference, and whole files that appear or do not."""

import json
import os
import threading
import time
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from osiris_core import ConnectError, DriftError, InvalidInputError, LedgerError, RunError, Scope, StepView
from osiris_core.data import field, osiris_type
from osiris_duckdb.files.driver import FileTable

ROWS = pa.table({"id": [1, 2, 3], "name": ["a", "", None]})


def put(shop, name, text, encoding="utf-8"):
    path = shop.files / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return path


def column_types(shop, name, **fields):
    catalog = FileTable().discover(shop.file_connection(**fields), Scope((name,)))
    return {column.name: column.type for column in catalog.table(name).columns}


# -- paths -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name",
    [
        "../outside.csv",
        "/etc/passwd",
        "a/../../outside.csv",
        "~/x.csv",
        "link.csv",
        "linked/x.csv",
        "C:/x.csv",
        "a\\..\\x.csv",
        ".hidden.csv",
        "a\x1b[2J.csv",
        "a\nb.csv",
        "a\x9b.csv",
        "gpj.\u202ecsv",
    ],
)
def test_no_path_leaves_the_root(shop, name):
    (shop.directory / "outside.csv").write_text("id\n1\n", encoding="utf-8")
    outside = shop.directory / "elsewhere"
    outside.mkdir()
    (outside / "x.csv").write_text("id\n1\n", encoding="utf-8")
    (shop.files / "link.csv").symlink_to(shop.directory / "outside.csv")
    (shop.files / "linked").symlink_to(outside)
    config = {"table": name, "format": "csv"}
    with pytest.raises(InvalidInputError) as raised:
        shop.read_file(config, format="csv")
    assert raised.value.code == "OSI-V302"
    with pytest.raises(InvalidInputError):
        shop.write_file({**config, "write_mode": "replace"}, ROWS, fields={"format": "csv"})
    assert (shop.directory / "outside.csv").read_text(encoding="utf-8") == "id\n1\n"
    found = FileTable().discover(shop.file_connection(), Scope())
    assert found.tables == ()
    if not name.startswith("link"):
        step = StepView("s", "file.table", "read", "@files", (), config)
        assert [problem.code for problem in FileTable().validate_step(step, None, None)] == ["OSI-V302"]


def test_a_link_inside_the_root_is_followed(shop):
    put(shop, "a.csv", "id\n1\n")
    (shop.files / "b.csv").symlink_to(shop.files / "a.csv")
    assert shop.read_file({"table": "b.csv"}).to_pylist() == [{"id": 1}]
    shop.write_file({"table": "b.csv", "write_mode": "append"}, pa.table({"id": [2]}))
    assert (shop.files / "b.csv").is_symlink()
    assert (shop.files / "a.csv").read_text(encoding="utf-8") == "id\n1\n2\n"


def test_a_glob_reads_files_of_one_shape(shop):
    put(shop, "2026/01.csv", "id,name\n1,a\n")
    put(shop, "2026/02.csv", "id,name\n2,b\n")
    put(shop, "2026/.03.csv", "id,name\n3,c\n")
    assert shop.read_file({"table": "2026/*.csv"}).column("id").to_pylist() == [1, 2]
    catalog = FileTable().discover(shop.file_connection(), Scope(("2026/*.csv",)))
    assert {table.name for table in catalog.tables} == {"2026/01.csv", "2026/02.csv", "2026/*.csv"}
    put(shop, "2026/04.csv", "id,other\n2,b\n")
    with pytest.raises(DriftError, match=r"04\.csv does not have the columns of 01\.csv"):
        shop.read_file({"table": "2026/*.csv"})
    with pytest.raises(InvalidInputError):
        shop.write_file({"table": "2026/*.csv", "write_mode": "append"}, ROWS)


def test_what_is_missing_is_told_with_a_suggestion(shop):
    put(shop, "orders.csv", "id\n1\n")
    with pytest.raises(DriftError, match=r'no file "order\.csv"') as raised:
        shop.read_file({"table": "order.csv"})
    assert "orders.csv" in raised.value.hint
    with pytest.raises(DriftError, match='no column "idd"') as raised:
        shop.read_file({"table": "orders.csv", "columns": ["idd"]})
    assert '"id"' in raised.value.hint
    with pytest.raises(ConnectError, match="no directory"):
        shop.read_file({"table": "x.csv"}, root=str(shop.directory / "nowhere"))
    put(shop, "orders.xls", "id")
    with pytest.raises(InvalidInputError, match="format"):
        shop.read_file({"table": "orders.xls"})
    with pytest.raises(DriftError, match="no file"):
        shop.write_file({"table": "new.csv", "write_mode": "append", "create": "never"}, ROWS)


def test_validation_names_types_and_formats_that_cannot_be(shop):
    put(shop, "orders.csv", "id\n1\n")
    catalog = FileTable().discover(shop.file_connection(), Scope(("orders.csv",)))

    def problems(mode="read", **config):
        step = StepView("s", "file.table", mode, "@files", (), config)
        return [(problem.code, problem.path) for problem in FileTable().validate_step(step, None, catalog)]

    assert problems(table="orders.csv", types={"id": "bigint"}) == []
    assert problems(table="orders.csv", types={"idd": "bigint"}) == [("OSI-V202", ("config", "types", "idd"))]
    assert problems(table="orders.dat") == [("OSI-V101", ("config",))]
    assert problems(table="orders.dat", format="csv") == []
    assert problems("write", table="*.csv") == [("OSI-V302", ("config", "table"))]


# -- CSV ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-5", ""], "BIGINT"),
        (["1", "007"], "VARCHAR"),
        (["1", "+5"], "VARCHAR"),
        (["9223372036854775808"], "DECIMAL(38,0)"),
        (["1.10", "22.5", "3"], "DECIMAL(18,2)"),
        (["12345678901234567890.12"], "DECIMAL(38,2)"),
        (["0.1234567890123456789012345678901234567890"], "VARCHAR"),
        (["1.5e-300"], "DOUBLE"),
        (["1.10e0"], "VARCHAR"),
        (["0.1", "inf"], "DOUBLE"),
        (["2026-01-31", "2026-02-28"], "DATE"),
        (["2026-02-30"], "VARCHAR"),
        (["2026-01-31 10:00", "2026-01-31T10:00:00.5"], "TIMESTAMP"),
        (["2026-01-31T10:00:00Z", "2026-01-31 10:00:00+02"], "TIMESTAMP WITH TIME ZONE"),
        (["true", "false"], "BOOLEAN"),
        (["true", "yes"], "VARCHAR"),
        (["1", "x"], "VARCHAR"),
        (["", ""], "VARCHAR"),
        (["12-05-2026"], "VARCHAR"),
    ],
    ids=str,
)
def test_a_type_is_inferred_only_where_it_keeps_the_text(shop, values, kind):
    put(shop, "a.csv", "n,v\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values)))
    assert column_types(shop, "a.csv") == {"n": "BIGINT", "v": kind}


def test_a_late_value_of_another_kind_is_seen_in_small_files(shop):
    put(shop, "a.csv", "v\n" + "1\n" * 5000 + "x\n")
    assert column_types(shop, "a.csv") == {"v": "VARCHAR"}


def test_a_later_value_than_the_sample_is_an_error_never_altered(shop, monkeypatch):
    from osiris_duckdb.files import csv_files

    monkeypatch.setattr(csv_files, "WHOLE_FILE_BYTES", 10)
    monkeypatch.setattr(csv_files, "SAMPLE_ROWS", 2000)
    put(shop, "a.csv", "v\n" + "1\n" * 5000 + "1.5\n")
    assert column_types(shop, "a.csv") == {"v": "BIGINT"}
    with pytest.raises(duckdb.Error, match='column "v": a value of type text does not fit BIGINT unchanged'):
        shop.read_file({"table": "a.csv"})
    assert shop.read_file({"table": "a.csv"}, types={"v": "decimal(4,1)"}).num_rows == 5001


def test_inferred_types_are_pinned_by_the_compile(shop):
    put(shop, "a.csv", "id,zip\n1,01234\n")
    catalog = FileTable().discover(shop.file_connection(), Scope(("a.csv",)))
    step = StepView("s", "file.table", "read", "@files", (), {"table": "a.csv"})
    pinned = FileTable().compile_step(step, None, catalog)
    assert pinned == {"table": "a.csv", "types": {"id": "BIGINT", "zip": "VARCHAR"}}


def test_quotes_nulls_and_line_ends(shop):
    put(shop, "a.csv", 'id,text\r\n1,"x, ""y""\r\nz"\r\n2,""\r\n3,\r\n4,NULL\r\n')
    assert shop.read_file({"table": "a.csv"}).column("text").to_pylist() == ['x, "y"\r\nz', "", None, "NULL"]
    assert shop.read_file({"table": "a.csv"}, null_text="NULL").column("text").to_pylist() == [
        'x, "y"\r\nz',
        "",
        "",
        None,
    ]


def test_delimiter_header_and_encoding(shop):
    put(shop, "a.csv", "1;Zoë\n2;Žofie\n")
    assert shop.read_file({"table": "a.csv"}, delimiter=";", header=False).to_pylist() == [
        {"column1": 1, "column2": "Zoë"},
        {"column1": 2, "column2": "Žofie"},
    ]
    put(shop, "b.tsv", "id\tname\n1\tZoë\n")
    assert shop.read_file({"table": "b.tsv"}).to_pylist() == [{"id": 1, "name": "Zoë"}]
    put(shop, "c.csv", "id,naïve\n1,Zoë\n", "latin-1")
    assert shop.read_file({"table": "c.csv"}, encoding="latin-1").to_pylist() == [{"id": 1, "naïve": "Zoë"}]
    put(shop, "d.csv", "\ufeffid,name\n1,x\n")
    assert shop.read_file({"table": "d.csv"}).column_names == ["id", "name"]
    put(shop, "e.txt", "id\n1\n")
    assert shop.read_file({"table": "e.txt"}, format="csv").to_pylist() == [{"id": 1}]


@pytest.mark.parametrize(
    "content",
    [b"", b"a,a\n1,2\n", b"a,A\n1,2\n", b"a,\n1,2\n", b"a,b\n1\n", b"a,b\n1,2,3\n", b'a\n"open\n', b"a\n\xff\xfe\n"],
    ids=repr,
)
def test_malformed_csv_is_refused(shop, content):
    put(shop, "a.csv", content)
    with pytest.raises((DriftError, duckdb.Error)):
        shop.read_file({"table": "a.csv"})


def test_malformed_files_do_not_hide_the_others(shop):
    put(shop, "bad.csv", b"")
    put(shop, "bad.parquet", b"no parquet")
    put(shop, "bad.jsonl", b"{]\n")
    put(shop, "good.csv", "id\n1\n")
    assert [table.name for table in FileTable().discover(shop.file_connection(), Scope()).tables] == ["good.csv"]


# -- Parquet and JSON Lines --------------------------------------------------------------------------------
def test_parquet_keeps_what_duckdb_alone_would_change(shop):
    schema = pa.schema(
        [
            pa.field("wide", pa.decimal256(60, 20)),
            pa.field("ns", pa.timestamp("ns")),
            pa.field("list", pa.list_(pa.int32())),
            pa.field("half", pa.float16()),
        ]
    )
    import numpy as np

    wide = Decimal("1234567890123456789012345678901234567890.12345678901234567890")
    data = pa.table(
        [
            pa.array([wide], schema.field("wide").type),
            pa.array([1], pa.timestamp("ns")),
            pa.array([[1, None]], pa.list_(pa.int32())),
            pa.array([np.float16(0.5)]),
        ],
        schema=schema,
    )
    pq.write_table(data, shop.files / "a.parquet")
    came = shop.read_file({"table": "a.parquet"})
    assert came.column("wide").to_pylist() == [str(wide)]
    assert osiris_type(came.schema.field("list")) == "json"
    assert came.column("list").to_pylist() == ["[1,null]"]
    assert came.column("ns").cast(pa.int64()).to_pylist() == [1]
    assert came.column("half").to_pylist() == [0.5]
    assert (
        shop.read_file(
            {"table": "a.parquet", "columns": ["half"], "where": [{"column": "half", "op": ">", "value": 1}]}
        ).num_rows
        == 0
    )


def test_parquet_append_wants_the_same_columns(shop):
    shop.write_file({"table": "a.parquet", "write_mode": "replace"}, ROWS)
    reordered = pa.table({"name": ["z"], "id": pa.array([9], pa.int32())})
    shop.write_file({"table": "a.parquet", "write_mode": "append"}, reordered)
    assert shop.read_file({"table": "a.parquet"}).to_pylist()[-1] == {"id": 9, "name": "z"}
    for other, message in (
        (ROWS.append_column("x", ROWS["id"]), 'no column "x"'),
        (ROWS.drop_columns(["id"]), 'column "id"'),
        (pa.table({"id": [2**40 + 0.5], "name": ["x"]}), "would cut"),
    ):
        with pytest.raises((DriftError, RunError), match=message):
            shop.write_file({"table": "a.parquet", "write_mode": "append"}, other)
    assert shop.read_file({"table": "a.parquet"}).num_rows == 4


def test_json_lines_keep_every_digit(shop):
    put(
        shop,
        "a.jsonl",
        '{"id": 1, "price": 12.50, "doc": {"b": 1.10, "a": [1e2]}, "n": 12345678901234567890123, "e": 1.5e300}\n'
        '\n{"id": 2, "price": 3, "doc": "text", "late": true}\n',
    )
    came = shop.read_file({"table": "a.jsonl"})
    assert came.to_pylist() == [
        {
            "id": 1,
            "price": Decimal("12.50"),
            "doc": '{"b":1.10,"a":[1e2]}',
            "n": Decimal("12345678901234567890123"),
            "e": 1.5e300,
            "late": None,
        },
        {"id": 2, "price": Decimal("3.00"), "doc": '"text"', "n": None, "e": None, "late": True},
    ]
    assert column_types(shop, "a.jsonl")["doc"] == "JSON"


@pytest.mark.parametrize(
    "line",
    [
        '{"a": NaN}',
        "[1]",
        "7",
        '{"a": 1, "a": 2}',
        "{",
        '{"a": 1} x',
        '{"a": "\udcff"}'.encode("utf-8", "surrogateescape"),
    ],
    ids=repr,
)
def test_a_line_that_is_no_object_is_named(shop, line):
    text = line if isinstance(line, bytes) else line.encode()
    put(shop, "a.jsonl", b'{"a": 1}\n' + text + b"\n")
    with pytest.raises(RunError, match=r"a\.jsonl"):
        shop.read_file({"table": "a.jsonl"})


def test_json_lines_are_written_as_json(shop):
    schema = pa.schema(
        [
            ("n", pa.decimal128(20, 2)),
            field("doc", pa.string(), osiris="json"),
            ("f", pa.float64()),
            ("t", pa.timestamp("us")),
        ]
    )
    data = pa.table([[Decimal("1.10")], ['{"b":\n 1.10}'], [1e300], [datetime(2026, 1, 1)]], schema=schema)
    shop.write_file({"table": "a.jsonl", "write_mode": "replace"}, data)
    assert (
        shop.files / "a.jsonl"
    ).read_text() == '{"n":1.10,"doc":{"b":  1.10},"f":1e+300,"t":"2026-01-01 00:00:00"}\n'
    for bad in (
        pa.table({"x": [float("nan")]}),
        pa.table([["{"]], schema=pa.schema([field("x", pa.string(), osiris="json")])),
    ):
        with pytest.raises(duckdb.Error, match='column "x"'):
            shop.write_file({"table": "a.jsonl", "write_mode": "append"}, bad)
    assert len((shop.files / "a.jsonl").read_text().splitlines()) == 1


# -- writing -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_append_and_replace(shop, suffix):
    config = {"table": f"sub/dir/a.{suffix}", "write_mode": "append"}
    assert shop.write_file(config, ROWS, ROWS).written == 6
    assert shop.write_file(config, ROWS).written == 3
    assert shop.read_file({"table": config["table"]}).to_pylist() == ROWS.to_pylist() * 3
    assert shop.write_file({**config, "write_mode": "replace"}, ROWS).written == 3
    assert shop.read_file({"table": config["table"]}).to_pylist() == ROWS.to_pylist()
    left = [path.name for path in (shop.files / "sub/dir").iterdir() if "tmp" in path.name or "part" in path.name]
    assert left == []


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_source_that_breaks_leaves_the_file_as_it_was(shop, suffix):
    from osiris_core.data import BatchStream

    config = {"table": f"a.{suffix}", "write_mode": "append"}
    shop.write_file(config, ROWS)
    before = (shop.files / f"a.{suffix}").read_bytes()

    def rows():
        yield from ROWS.to_batches()
        raise RunError("the source broke")

    for mode in ("append", "replace"):
        with pytest.raises(RunError, match="the source broke"):
            shop.write_file({**config, "write_mode": mode}, BatchStream(ROWS.schema, rows()))
    assert (shop.files / f"a.{suffix}").read_bytes() == before
    assert sorted(path.name for path in shop.files.iterdir() if "tmp" in path.name) == []


def test_csv_append_follows_the_file(shop):
    put(shop, "a.csv", "name;id\nx;7")
    shop.write_file({"table": "a.csv", "write_mode": "append"}, ROWS, fields={"delimiter": ";"})
    assert (shop.files / "a.csv").read_text() == 'name;id\nx;7\na;1\n"";2\n;3\n'
    with pytest.raises(DriftError, match='no column "extra"'):
        shop.write_file(
            {"table": "a.csv", "write_mode": "append"},
            ROWS.append_column("extra", ROWS["id"]),
            fields={"delimiter": ";"},
        )


def test_csv_header_null_text_and_encoding_when_writing(shop):
    shop.write_file({"table": "a.csv", "write_mode": "replace"}, ROWS, fields={"header": False, "null_text": "NULL"})
    assert (shop.files / "a.csv").read_text() == "1,a\n2,\n3,NULL\n"
    shop.write_file(
        {"table": "b.csv", "write_mode": "replace"}, pa.table({"n": ["Zoë"]}), fields={"encoding": "latin-1"}
    )
    assert (shop.files / "b.csv").read_bytes() == "n\nZoë\n".encode("latin-1")
    with pytest.raises(RunError, match="latin-1 cannot say"):
        shop.write_file(
            {"table": "b.csv", "write_mode": "append"}, pa.table({"n": ["美"]}), fields={"encoding": "latin-1"}
        )


def test_a_run_key_commits_once_and_state_is_kept(shop):
    config = {"table": "a.csv", "write_mode": "append"}
    shop.write_file(config, ROWS, run_key="k")
    assert shop.write_file(config, ROWS, run_key="k").already_committed
    assert shop.read_file({"table": "a.csv"}).num_rows == 3
    writer = FileTable().open_writer(shop.file_connection(), config, shop.context())
    writer.begin()
    from osiris_core.data import BatchStream

    writer.stage(BatchStream(ROWS.schema, ROWS.to_batches()))
    writer.commit(state={"orders": 7})
    writer.close()
    assert FileTable().open_writer(shop.file_connection(), config, shop.context()).read_state() == {"orders": 7}
    assert shop.read_file({"table": "a.csv"}).num_rows == 6


def test_the_ledger_forgets_old_commits_but_no_state(shop, monkeypatch):
    from osiris_duckdb.files import markers

    monkeypatch.setattr(markers, "KEPT_COMMITS", 3)
    config = {"table": "a.csv", "write_mode": "append"}
    target = shop.files / "a.csv"
    for number in range(6):
        context = shop.context(step="first" if number == 0 else "later")
        marker = markers.Marker(target)
        draft = marker.temporary()
        draft.write_text("id\n")
        from osiris_core import CommitResult

        marker.commit(draft, context, CommitResult(0), {"n": number} if number == 0 else None)
    kept = json.loads((shop.files / ".a.csv.osiris-commits.json").read_text())["commits"]
    assert len(kept) == 4
    assert markers.Marker(target).state(shop.context(step="first")) == {"n": 0}
    assert config["write_mode"] == "append"


def test_commits_of_unknown_age_are_as_old_as_their_marker(shop):
    shop.write_file({"table": "a.csv", "write_mode": "append"}, pa.table({"id": [1]}))
    marker = shop.files / ".a.csv.osiris-commits.json"
    value = json.loads(marker.read_text())
    del value["commits"][0]["committed_at"]
    marker.write_text(json.dumps(value))
    driver, connection = FileTable(), shop.file_connection()
    assert driver.prune_ledger(connection, 1) == 0
    assert [entry.table for entry in driver.ledger_entries(connection)] == ["a.csv"]
    os.utime(marker, (0, 0))
    assert driver.ledger_entries(connection)[0].committed_at == "1970-01-01T00:00:00.000000Z"
    assert driver.prune_ledger(connection, 1) == 1


def test_a_prune_leaves_what_a_killed_run_had_decided_to_the_next_run(shop):
    """Killed between the marker and the rename: that entry is the only one that knows of the new file."""
    from osiris_core import CommitResult
    from osiris_duckdb.files import markers

    put(shop, "a.csv", "id\n1\n")
    marker = markers.Marker(shop.files / "a.csv")
    draft = marker.temporary()
    draft.write_text("id\n2\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markers.Marker, "_put_in_place", lambda *_: None)  # killed here
        marker.commit(draft, shop.context(), CommitResult(1), None)
    time.sleep(0.01)
    driver, connection = FileTable(), shop.file_connection()
    assert driver.prune_ledger(connection, 1e-9) == 0
    assert (shop.files / "a.csv").read_text() == "id\n1\n"
    shop.write_file({"table": "a.csv", "write_mode": "append"}, pa.table({"id": [3]}))
    assert shop.read_file({"table": "a.csv"})["id"].to_pylist() == [2, 3]
    time.sleep(0.01)
    assert driver.prune_ledger(connection, 1e-9) == 2


LINK = ".a.csv.0123456789ab.osiris-tmp"


@pytest.mark.parametrize("name", ["victim.csv", "..", ".", ".b.csv.0123456789ab.osiris-tmp", f"{LINK}.part", 7, LINK])
def test_a_marker_moves_no_file_but_its_own(shop, name):
    """Its content is the word of whoever may write the directory."""
    put(shop, "a.csv", "id\n1\n")
    put(shop, "victim.csv", "id\n2\n").chmod(0o600)
    put(shop, ".b.csv.0123456789ab.osiris-tmp", "id\n3\n")
    (shop.files / LINK).symlink_to(shop.files / "victim.csv")
    entry = {"run_key": "k", "pipeline": "p", "step": "s", "result": '{"written":1}', "state": None, "file": name}
    put(shop, ".a.csv.osiris-commits.json", json.dumps({"commits": [entry]}))

    def found():
        paths = [path for path in (shop.files, *shop.files.iterdir()) if not path.name.endswith("-lock")]
        return {path: (path.lstat().st_mode, path.is_file() and path.read_text()) for path in paths}

    before, connection = found(), shop.file_connection()
    for dry_run in (True, False):
        with pytest.raises(RunError, match=r"ledger .*/\.a\.csv\.osiris-commits\.json") as raised:
            FileTable().prune_ledger(connection, 1e-9, dry_run=dry_run)
        assert raised.value.code == "OSI-R027"
    with pytest.raises(RunError, match="cannot be read"):
        shop.write_file({"table": "a.csv", "write_mode": "append"}, pa.table({"id": [1]}))
    assert found() == before


def test_a_broken_ledger_is_not_ignored(shop):
    put(shop, "a.csv", "id\n1\n")
    (shop.files / ".a.csv.osiris-commits.json").write_text("{")
    with pytest.raises(RunError, match="ledger") as raised:
        shop.write_file({"table": "a.csv", "write_mode": "append"}, pa.table({"id": [1]}))
    assert raised.value.code == "OSI-R027"


COMMIT = {
    "run_key": "k",
    "pipeline": "p",
    "step": "s",
    "result": '{"written":1}',
    "state": None,
    "file": ".a.csv.0123456789ab.osiris-tmp",
    "committed_at": "2026-01-02T03:04:05+00:00",
}


@pytest.mark.parametrize(
    "commits",
    [
        [{}],
        ["text"],
        7,
        [COMMIT | {"run_key": 7}],
        [COMMIT | {"file": None}],
        [COMMIT | {"committed_at": "2026-01-02T03:04:05"}],
        [COMMIT | {"committed_at": "0001-01-01T00:00:00+14:00"}],
        [COMMIT | {"committed_at": "today"}],
        [COMMIT | {"committed_at": 7}],
        [COMMIT | {"result": '{"written":1,"other":2}'}],
        [COMMIT | {"result": '{"written":"1"}'}],
        [COMMIT | {"result": '{"written":1,"coerced":{"a":"b"}}'}],
        [COMMIT | {"result": '{"written":1,"coerced":7}'}],
        [COMMIT | {"result": "[]"}],
        [COMMIT | {"result": {"written": 1}}],
        [COMMIT | {"result": '{"written":-1}'}],
        [COMMIT | {"result": '{"written":' + "9" * 4000 + "}"}],
        [COMMIT | {"state": 7}],
        [COMMIT | {"state": [1]}],
        [{key: value for key, value in COMMIT.items() if key != "state"}],
    ],
)
def test_a_marker_with_a_bad_entry_is_named(shop, commits):
    marker = put(shop, ".a.csv.osiris-commits.json", json.dumps({"commits": [COMMIT]}))
    driver, connection = FileTable(), shop.file_connection()
    assert [entry.rows for entry in driver.ledger_entries(connection)] == [1], "the others are one change away"
    marker.write_text(json.dumps({"commits": commits}))
    for act in (driver.ledger_entries, lambda it: driver.prune_ledger(it, 1)):
        with pytest.raises(LedgerError, match=r"ledger .*/\.a\.csv\.osiris-commits\.json cannot be read") as raised:
            act(connection)
        assert (raised.value.code, raised.value.exit_code) == ("OSI-R027", 4)


def test_one_bad_marker_hides_no_other(shop):
    for name in ("a.csv", "z.csv"):
        shop.write_file({"table": name, "write_mode": "append"}, ROWS)
    for name in "bcdefgh":
        put(shop, f".{name}.csv.osiris-commits.json", "{")
    (shop.files / ".a.csv.osiris-lock").unlink()
    (shop.files / ".a.csv.osiris-lock").mkdir()
    time.sleep(0.01)
    driver, connection = FileTable(), shop.file_connection()
    with pytest.raises(LedgerError, match=r"b\.csv.*; and 2 more like these") as raised:
        driver.ledger_entries(connection, 1)
    assert [entry.table for entry in raised.value.entries] == ["z.csv"], "the newest"
    assert len(raised.value.faults) == 7
    with pytest.raises(LedgerError) as raised:
        driver.prune_ledger(connection, 1e-9, dry_run=True)
    assert raised.value.removed == 2
    with pytest.raises(LedgerError, match="Is a directory") as raised:
        driver.prune_ledger(connection, 1e-9)
    assert (raised.value.removed, len(raised.value.faults)) == (1, 8)


def test_a_marker_of_any_size_takes_little_memory(shop):
    marker = put(shop, ".a.csv.osiris-commits.json", "")
    with marker.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(LedgerError, match="cannot be read"):
        FileTable().ledger_entries(shop.file_connection())


@pytest.mark.parametrize("swap", [os.mkfifo, lambda path: path.symlink_to("/etc/hostname")])
def test_what_takes_a_markers_place_meanwhile_is_not_followed(shop, monkeypatch, swap):
    """Between the look at it and the reading: whoever may write the directory may be quick."""
    from osiris_duckdb.files import markers

    marker = put(shop, ".a.csv.osiris-commits.json", json.dumps({"commits": [COMMIT]}))
    monkeypatch.setattr(markers, "_is_regular", lambda path: True)
    marker.unlink()
    swap(marker)
    with pytest.raises(LedgerError, match=r"cannot be read|cannot be used"):
        FileTable().ledger_entries(shop.file_connection())


def test_the_rights_of_a_file_go_to_no_other(shop, monkeypatch):
    from osiris_duckdb.files import markers

    put(shop, "a.csv", "id\n1\n").chmod(0o666)
    victim = put(shop, "victim", "x")
    victim.chmod(0o600)
    marker = markers.Marker(shop.files / "a.csv")
    draft = marker.temporary()
    draft.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        marker._put_in_place(draft)
    assert victim.stat().st_mode & 0o777 == 0o600


def test_what_only_has_a_markers_name_is_no_marker(shop):
    shop.write_file({"table": "a.csv", "write_mode": "append"}, ROWS)
    outside = shop.directory / "outside.json"
    outside.write_text(json.dumps({"commits": [COMMIT]}))
    (shop.files / ".link.csv.osiris-commits.json").symlink_to(outside)
    (shop.files / ".folder.csv.osiris-commits.json").mkdir()
    os.mkfifo(shop.files / ".pipe.csv.osiris-commits.json")
    for name in ("...osiris-commits.json", "....osiris-commits.json", "..osiris-commits.json"):
        put(shop, name, "{")
    for name in ("x\nerror OSI-X001: none", "\x1b[31m", "\u202egpj", os.fsdecode(b"\xff")):
        put(shop, f".{name}.csv.osiris-commits.json", "{")
    time.sleep(0.01)
    driver, connection = FileTable(), shop.file_connection()
    assert [entry.table for entry in driver.ledger_entries(connection)] == ["a.csv"]
    assert driver.prune_ledger(connection, 1e-9) == 1
    for name in ("link.csv", "folder.csv", "pipe.csv"):
        with pytest.raises(RunError, match="cannot be read"):
            shop.write_file({"table": name, "write_mode": "append"}, ROWS)


def test_a_lock_follows_no_link(shop):
    shop.write_file({"table": "a.csv", "write_mode": "append"}, ROWS)
    lock, outside = shop.files / ".a.csv.osiris-lock", shop.directory / "made-outside"
    lock.unlink()
    lock.symlink_to(outside)
    with pytest.raises(RunError, match=r"the lock .*/\.a\.csv\.osiris-lock is a link") as raised:
        FileTable().prune_ledger(shop.file_connection(), 1e-9)
    assert raised.value.code == "OSI-R027"
    with pytest.raises(RunError, match="is a link"):
        shop.write_file({"table": "a.csv", "write_mode": "append"}, ROWS)
    assert not outside.exists()


def test_a_run_removes_only_what_runs_of_its_own_file_left(shop):
    from osiris_duckdb.files.markers import Marker

    other = Marker(shop.files / "a.csv").temporary()
    own = Marker(shop.files / "a").temporary()
    part = own.with_name(f"{own.name}.part")
    for path in (other, own, part):
        path.write_text("id\n")
    shop.write_file({"table": "a", "write_mode": "append"}, ROWS, fields={"format": "csv"})
    assert [path.exists() for path in (other, own, part)] == [True, False, False]


def test_two_runs_take_turns_on_a_file(shop, monkeypatch):
    from osiris_duckdb.files import markers as module

    config = {"table": "a.csv", "write_mode": "append"}
    first = FileTable().open_writer(shop.file_connection(), config, shop.context())
    first.begin()
    monkeypatch.setattr(module, "LOCK_WAIT_SECONDS", 0.2)
    with pytest.raises(RunError, match="another run is writing") as raised:
        shop.write_file(config, ROWS)
    assert raised.value.retryable and raised.value.code == "OSI-R029"
    monkeypatch.setattr(module, "LOCK_WAIT_SECONDS", 20)
    done = []
    thread = threading.Thread(target=lambda: done.append(shop.write_file(config, ROWS)))
    thread.start()
    first.abort()
    first.close()
    thread.join(20)
    assert done[0].written == 3


def test_the_files_mode_survives(shop):
    path = put(shop, "a.csv", "id\n1\n")
    path.chmod(0o640)
    shop.write_file({"table": "a.csv", "write_mode": "replace"}, pa.table({"id": [1]}))
    assert path.stat().st_mode & 0o777 == 0o640


def test_verify_counts_the_rows_as_a_reader_finds_them(shop, monkeypatch):
    from osiris_duckdb.files import output

    monkeypatch.setattr(output, "count_rows", lambda *args: 2)
    with pytest.raises(RunError, match="2 new rows, not 3"):
        shop.write_file({"table": "a.csv", "write_mode": "replace"}, ROWS)
    assert not (shop.files / "a.csv").exists()
    assert shop.write_file({"table": "a.csv", "write_mode": "replace", "verify": "none"}, ROWS).written == 3


def test_check_says_what_is_wrong(shop):
    driver = FileTable()
    assert driver.check(shop.file_connection())[0].status == "ok"
    assert driver.check(shop.file_connection(root=str(shop.directory / "nowhere")))[0].status == "failed"
    if os.geteuid() != 0:
        shop.files.chmod(0o500)
        assert driver.check(shop.file_connection())[0].status == "warning"
        shop.files.chmod(0o700)


def test_dates_of_a_csv_arrive_in_a_table(shop):
    put(shop, "a.csv", "id,day\n1,2026-01-31\n")
    shop.write({"table": "t", "write_mode": "append", "create": "if_missing"}, shop.file_stream({"table": "a.csv"}))
    assert shop.sql("FROM t") == [(1, date(2026, 1, 31))]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_nobody_else_can_read_a_file_in_the_making(shop, suffix):
    from osiris_core.data import BatchStream

    seen = {}

    def rows():
        for batch in ROWS.to_batches():
            yield batch
            seen.update({path.name: path.stat().st_mode & 0o777 for path in shop.files.glob(f".a.{suffix}.*-tmp*")})

    before = os.umask(0o027)
    try:
        config = {"table": f"a.{suffix}", "write_mode": "replace"}
        shop.write_file(config, BatchStream(ROWS.schema, rows()))
    finally:
        os.umask(before)
    assert len(seen) == (2 if suffix == "csv" else 1), "with the part that DuckDB writes"
    assert set(seen.values()) == {0o600}
    kept = [shop.files / f"a.{suffix}", shop.files / f".a.{suffix}.osiris-commits.json"]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o640, 0o640]
