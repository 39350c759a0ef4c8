"""Steps of ours that meet become one statement; what it does is what they would do one by one."""

import duckdb
import pyarrow as pa
import pytest

from osiris_core import InvalidInputError
from osiris_core.data import with_target_names
from osiris_duckdb import writer as writer_module
from osiris_duckdb.table import DuckDBTable
from osiris_duckdb.transform import DuckDBSQL

SQL = "SELECT id, upper(name) AS name, total * 2 AS total, day FROM a WHERE id <= ${params.most}"
CSV = "id,name,total,day\n1,x,1.10,2026-01-31\n2,,22.55,2026-02-01\n3,z,,\n4,w,1,2026-02-03\n"


@pytest.fixture
def chain(shop, monkeypatch):
    """Runs file → SQL → table; returns the result and whether rows went through Arrow."""
    (shop.files / "a.csv").write_text(CSV, encoding="utf-8")
    taken = []
    real = writer_module.Intake

    def watched(*arguments):
        taken.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(writer_module, "Intake", watched)

    def run(config, sql=SQL, fuse=True, **settings):
        taken.clear()
        reader = shop.file_stream({"table": "a.csv"}, step="a")
        stream = DuckDBSQL().transform(
            {"sql": sql, "sql_params": {"most": 3}, **settings}, {"a": reader}, shop.context(step="sql")
        )
        if not fuse:
            stream.source = None
        result = shop.write(config, stream)
        stream.close()
        reader.close()
        return result, not taken

    return run


@pytest.mark.parametrize("write_mode", ["append", "merge", "replace"])
def test_fused_and_not_fused_write_the_same(shop, chain, write_mode):
    config = {"write_mode": write_mode, "create": "if_missing"}
    config |= {"merge_keys": ["id"]} if write_mode == "merge" else {}
    found = []
    for table, fuse in (("fused", True), ("plain", False)):
        for _ in range(2):
            result, fused = chain({**config, "table": table}, fuse=fuse)
            assert fused is fuse
            assert result.written == 3
        ddl = shop.sql(f"SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE table_name = '{table}'")
        found.append((result, ddl, shop.sql(f"FROM {table} ORDER BY ALL")))
    assert found[0] == found[1]


def test_a_file_goes_straight_into_a_table(shop, chain):
    chain({"table": "t", "write_mode": "append", "create": "if_missing"})
    stream = shop.file_stream({"table": "a.csv", "columns": ["id"], "where": [{"column": "id", "op": ">", "value": 2}]})
    assert shop.write({"table": "u", "write_mode": "append", "create": "if_missing"}, stream).written == 2
    assert stream.source.started
    assert shop.sql("FROM u ORDER BY id") == [(3,), (4,)]


def test_sql_on_sql_is_one_statement_too(shop):
    (shop.files / "a.csv").write_text(CSV, encoding="utf-8")
    reader = shop.file_stream({"table": "a.csv"}, step="a")
    first = DuckDBSQL().transform(
        {"sql": "SELECT id, total FROM a WHERE id > 1"}, {"a": reader}, shop.context(step="one")
    )
    second = DuckDBSQL().transform(
        {"sql": "SELECT a.id, b.total FROM one AS a JOIN one AS b USING (id)"}, {"one": first}, shop.context(step="two")
    )
    assert second.source is not None
    assert sorted(row["id"] for batch in second for row in batch.to_pylist()) == [2, 3, 4]


def test_columns_renamed_on_their_way_are_fused_by_place(shop):
    """``naming: snake``: the statement is still one, and its columns have the names of the target."""
    (shop.files / "a.csv").write_text('OrderID,has space,"q""uote"\n1,x,2026-01-31\n2,,2026-02-01\n', encoding="utf-8")
    stream = shop.file_stream({"table": "a.csv"})
    config = {"table": "t", "write_mode": "merge", "merge_keys": ["order_id"], "create": "if_missing"}
    renamed = with_target_names(stream, {**config, "naming": "snake"})
    assert shop.write(config, renamed).written == 2
    assert stream.source.started, "no row went through Arrow"
    assert [row[0] for row in shop.sql("DESCRIBE t")] == ["order_id", "has_space", "q_uote"]
    assert shop.sql("SELECT order_id, has_space, q_uote::VARCHAR FROM t ORDER BY 1") == [
        (1, "x", "2026-01-31"),
        (2, None, "2026-02-01"),
    ]


def test_a_value_that_does_not_fit_stops_it_all(shop, chain):
    shop.sql("CREATE TABLE t (id INTEGER, name VARCHAR, total DECIMAL(10,0), day DATE)")
    with pytest.raises(duckdb.Error, match='column "total"'):
        chain({"table": "t", "write_mode": "append"})
    assert shop.sql("SELECT count(*) FROM t") == [(0,)]


def test_macros_of_the_target_cannot_change_the_meaning(shop, chain):
    shop.sql(
        "CREATE MACRO shout(x) AS x || '!'; CREATE TABLE t (id BIGINT, name VARCHAR, total DECIMAL(20,2), day DATE)"
    )
    _, fused = chain({"table": "t", "write_mode": "append"})
    assert not fused
    with pytest.raises(duckdb.Error, match="shout"):
        chain({"table": "t", "write_mode": "append"}, sql="SELECT id, shout(name) AS name FROM a")


def test_what_cannot_be_one_statement_is_not(shop, chain, tmp_path_factory):
    config = {"table": "t", "write_mode": "append", "create": "if_missing"}
    assert chain(config, threads=1)[1] is False, "its settings are for the step alone"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "b.csv").write_text("id\n7\n", encoding="utf-8")
    stream = shop.file_stream({"table": "b.csv"}, {"root": str(elsewhere)}, step="b")
    assert shop.write({**config, "table": "u"}, stream).written == 1
    assert shop.sql("FROM u") == [(7,)]
    other = pa.table({"id": [1]})
    reader = shop.file_stream({"table": "a.csv"}, step="a")
    from osiris_core.data import BatchStream

    mixed = DuckDBSQL().transform(
        {"sql": "SELECT a.id FROM a JOIN other USING (id)"},
        {"a": reader, "other": BatchStream(other.schema, other.to_batches())},
        shop.context(step="mixed"),
    )
    assert mixed.source is None
    assert [row for batch in mixed for row in batch.to_pylist()] == [{"id": 1}]


def test_sql_of_users_reads_no_file_where_fusing_could(shop, chain):
    """The writer's connection may open files of the project; statements of users still may not."""
    writer = DuckDBTable().open_writer(
        shop.connection(), {"table": "t", "write_mode": "append", "create": "if_missing"}, shop.context()
    )
    writer.begin()
    for query in (f"SELECT * FROM read_csv('{shop.files}/a.csv')", f"SELECT * FROM '{shop.files}/a.csv'"):
        with pytest.raises(InvalidInputError):
            shop.read({"query": query})
        with pytest.raises(InvalidInputError):
            shop.transform(query, a=shop.file_stream({"table": "a.csv"}, step="a"))
    writer.close()
