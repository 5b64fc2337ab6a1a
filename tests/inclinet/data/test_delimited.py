"""Tables of text as people write them, damaged ones too: every line keeps its row."""

import csv

import pandas as pd
import pytest

from inclinet.data.catalog import read_galaxies
from inclinet.data.tables import read_table
from inclinet.errors import InclinetError


@pytest.fixture
def read(tmp_path):
    def of(text):
        path = tmp_path / "c.csv"
        path.write_text(text)
        return read_table(path)

    return of


def rows(table):
    return {line: list(row) for line, row in zip(table.index, table.itertuples(index=False), strict=True)}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_no_rows_and_empty_cells_are(read, end):
    table, ragged = read(end.join(["", " ", "pgc,inc", "1,60", "", "   ", ",", "2,61", ""]))
    assert rows(table) == {4: ["1", "60"], 7: ["", ""], 8: ["2", "61"]}
    assert not ragged


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_everything_may_be_in_quotes(tmp_path, separator):
    names = pd.DataFrame({"name": ["NGC 1", 'the "Eye"', "a, b; c|d"], "inc": ["60", "", "61"]})
    for table in (names, names[["name"]]):
        table.to_csv(tmp_path / "c.csv", sep=separator, index=False, quoting=csv.QUOTE_ALL)
        assert read_table(tmp_path / "c.csv")[0]["name"].tolist() == names["name"].tolist()


def test_seconds_of_arc_are_no_quotes(read):
    table, _ = read('pgc|note\n1|"\n2|5" wide\n')
    assert table["note"].tolist() == ['"', '5" wide']


def test_a_separator_within_quotes_separates_nothing(read):
    assert rows(read('"pgc","a|b|c|d","inc"\n1,2,60\n')[0]) == {2: ["1", "2", "60"]}


def test_numbers_may_have_decimal_commas(read, tmp_path):
    table, _ = read("name;inc;note\nA,1;67,5;1,5 or 2,5\nB;-1,5e-3;\n")
    assert rows(table) == {2: ["A,1", "67.5", "1,5 or 2,5"], 3: ["B", "-1.5e-3", ""]}
    assert read_galaxies(tmp_path / "c.csv")[0].truth == 67.5


@pytest.mark.parametrize(
    "text", ["#pgc,inc\n1,60\n", "# made by hand, once\n# pgc,inc\n\n1,60\n", "#\n# of 2026\npgc,inc\n1,60"]
)
def test_the_line_of_names_may_be_a_comment(read, text):
    table, _ = read(text)
    assert table.columns.tolist() == ["pgc", "inc"]
    assert table.to_numpy().tolist() == [["1", "60"]]


def test_a_cell_may_have_lines(read):
    table, ragged = read('name,note,inc\nA,"two\nlines, or\r\nthree",60\n"B\nB",x,61\nC,,62\n')
    assert table["inc"].to_dict() == {2: "60", 5: "61", 7: "62"}
    assert not ragged


@pytest.mark.parametrize(
    "odd",
    [
        {3: '"g3,63'},
        {3: 'g3,"63'},
        {3: '"g3,63', 7: '"g7,67'},
        {3: 'g3,"63', 4: 'g4,64"'},
        {3: '"g3,63', 9: 'g9",69'},
        {3: '"g3" ,63'},
        {3: '"g3,63', 200: '"g200,60'},
    ],
    ids=repr,
)
def test_a_stray_quote_swallows_no_row(read, odd):
    lines = {line: f"g{line},{60 + line % 10}" for line in range(2, 5000)} | odd
    table, ragged = read("\n".join(["name,inc", *lines.values()]))
    assert not ragged
    assert table.index.tolist() == list(lines)
    assert table["name"].str.strip('"').tolist() == [f"g{line}" for line in lines]


def test_a_quote_that_swallows_a_large_file_swallows_no_row(read):
    table, _ = read('name,inc\n"A,60\n' + "B,61\n" * 40_000)
    assert len(table) == 40_001


def test_cells_beyond_the_names_must_be_empty(read):
    table, ragged = read("pgc,inc\n1,60,\n2,61,,\n3,62,x\n4\n")
    assert rows(table) == {2: ["1", "60"], 3: ["2", "61"]}
    assert ragged == {"line 4": "has 3 cells, the first line 2", "line 5": "has 1 cells, the first line 2"}


def test_a_name_in_quotes_that_are_not_closed(read):
    assert read('"pgc,inc\n1,60\n')[0].columns.tolist() == ["pgc", "inc"]
    with pytest.raises(InclinetError, match="more than once"):
        read("inc,inc\n1,2\n")
