"""A file of sites is read whole, and every fault of it is named with its line."""

from pathlib import Path

import pytest

from services.cli.errors import CliError, Status
from services.cli.site_file import read_sites, scalar


def faults(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(CliError) as refused:
        read_sites(path)
    assert refused.value.status is Status.USAGE
    return [(fault.field, fault.code) for fault in refused.value.faults]


def test_a_csv_row_becomes_a_site_with_labels_and_params(tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    file.write_text(
        "name,group,label.region,param.host,param.port,managed\noslo,north,no,h1,8001,\nbari,,,h2,8002,false\n"
    )
    (first, oslo), (second, bari) = read_sites(file)
    assert (first, second) == (2, 3)
    assert (oslo.name, oslo.group, oslo.labels, oslo.managed) == ("oslo", "north", {"region": "no"}, True)
    assert oslo.connections == {"process": {"host": "h1", "port": 8001}}
    assert (bari.group, bari.labels, bari.managed) == (None, {}, False)


def test_a_csv_from_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    file.write_bytes("\ufeffname;x".replace(";x", "").encode() + b"\r\noslo\r\n\r\n")
    assert [site.name for _, site in read_sites(file)] == ["oslo"]


def test_a_site_has_a_connection_for_each_driver_that_reaches_it(tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    file.write_text("name,connection.helm.context,connection.copy.root,connection.copy.keep\noslo,edge,/srv/www,3\n")
    [(_, oslo)] = read_sites(file)
    assert oslo.connections == {"helm": {"context": "edge"}, "copy": {"root": "/srv/www", "keep": 3}}


def test_one_connection_may_be_written_as_it_was_but_not_beside_others(tmp_path: Path) -> None:
    file = tmp_path / "sites.yaml"
    file.write_text("- {name: oslo, driver: copy, params: {root: /srv}}\n- {name: bari, driver: x, connections: {}}\n")
    assert faults(file) == [("line 2", "invalid_field")]
    file.write_text(
        "- {name: oslo, driver: copy, params: {root: /srv}}\n- {name: bari, connections: {copy: {root: /b}}}\n"
    )
    assert [site.connections for _, site in read_sites(file)] == [{"copy": {"root": "/srv"}}, {"copy": {"root": "/b"}}]


def test_every_fault_of_a_csv_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    file.write_text("name,colour,managed\n-oslo,,yes\nbari,,boat\nbari,,yes\ncork,a,yes,more\n")
    assert faults(file) == [
        ("line 1: colour", "unknown_field"),
        ("line 5", "unreadable"),
        ("line 2: name", "invalid_field"),
        ("line 3: managed", "invalid_field"),
        ("line 4: name", "duplicate"),
    ]


def test_an_open_quote_in_a_csv_is_a_fault_not_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    file.write_text('name\n"oslo\n')
    assert [code for _, code in faults(file)] == ["unreadable"]


def test_yaml_holds_the_list_itself_or_names_it_sites(tmp_path: Path) -> None:
    bare, named = tmp_path / "bare.yaml", tmp_path / "named.yml"
    bare.write_text("- name: oslo\n- name: bari\n")
    named.write_text("# ours\nsites:\n  - name: oslo\n    params: {port: 8001}\n  - {name: bari}\n")
    assert [(line, site.name) for line, site in read_sites(bare)] == [(1, "oslo"), (2, "bari")]
    assert [(line, site.name) for line, site in read_sites(named)] == [(3, "oslo"), (5, "bari")]


def test_every_fault_of_a_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "sites.yaml"
    file.write_text(
        "- name: oslo\n  colour: red\n- oslo\n- name: bari\n  name: cork\n- 1: x\n- {name: oslo, labels: {a: 1}}\n"
    )
    assert faults(file) == [
        ("line 3", "invalid_field"),
        ("line 5: name", "duplicate"),
        ("line 1: colour", "unknown_field"),
        ("line 6: name", "missing_field"),
        ("line 6: 1", "unknown_field"),
        ("line 7: labels.a", "invalid_field"),
        ("line 7: name", "duplicate"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("sites.txt", b"oslo", ".csv, .yaml or .yml"),
        ("sites.csv", b"\xff\xfe", "UTF-8"),
        ("sites.csv", b"", "no site"),
        ("sites.yaml", b"a: [", ""),
        ("sites.yaml", b"just words", ""),
        ("sites.yaml", b"", ""),
    ],
)
def test_a_file_that_is_no_list_of_sites_is_refused_with_a_reason(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(CliError) as refused:
        read_sites(file)
    assert said in refused.value.message


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="No such file"):
        read_sites(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "text", ["0123", "12:30", "no", "on", "1e3", "0x10", "2026-02-30", "~", "{a", "{a: 2026-02-30}"]
)
def test_what_only_looks_like_a_number_or_a_truth_value_stays_what_was_written(text: str) -> None:
    assert scalar(text) == text


def test_numbers_truth_values_and_secrets_are_taken_for_what_they_are() -> None:
    written = ["8001", "-1", "0", "true", "false", "{secret: oslo-key}"]
    assert [scalar(text) for text in written] == [8001, -1, 0, True, False, {"secret": "oslo-key"}]


def test_what_others_read_as_a_text_is_a_fault_and_not_another_text(tmp_path: Path) -> None:
    file = tmp_path / "sites.yaml"
    file.write_text(
        "- name: oslo\n  params:\n    pin: 0891\n    serial: 12e4\n    y: 20\n    mode: 0644\n    code: '0891'\n"
    )
    assert faults(file) == [(f"line {line}", "unreadable") for line in (3, 4, 5)]


def test_a_value_that_is_none_is_a_fault_with_its_line_beside_all_others(tmp_path: Path) -> None:
    file = tmp_path / "sites.yaml"
    file.write_text("- name: oslo\n- name: rome\n  params: {share: .nan}\n- name: no good\n")
    assert faults(file) == [("line 3", "unreadable"), ("line 4: name", "invalid_field")]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("- name: oslo\n- ? [a]\n  : b\n", 2),
        ("- name: oslo\n  labels: {[a]: b}\n", 2),
        ("? [a]\n: b\n", 1),
        ("- name: oslo\n  params:\n    a: " + "[" * 5_000 + "]" * 5_000 + "\n", 3),
        ("[" * 100_000, 1),
        ("- name: oslo\n  params: {a: .inf}\n", 2),
        ('- name: oslo\n- name: "\\0"\n', 2),
        ("- name: oslo\n- !!python/object:os.system {}\n", 2),
        ("- &a [x]\n" + "".join(f"- &{b} [{f'*{a},' * 99}]\n" for a, b in zip("abcd", "bcde", strict=True)), 5),
    ],
)
def test_what_yaml_has_and_no_site_is_a_fault_with_its_line(tmp_path: Path, content: str, line: int) -> None:
    file = tmp_path / "sites.yaml"
    file.write_text(content)
    assert (f"line {line}", "unreadable") in faults(file)


def test_what_sites_have_in_common_may_be_written_once(tmp_path: Path) -> None:
    file = tmp_path / "sites.yaml"
    file.write_text(
        "common: &common {group: north, labels: {tier: edge}}\nsites:\n"
        "  - {name: oslo, <<: *common}\n  - {<<: *common, name: rome, group: south}\n"
    )
    sites = [(site.name, site.group, site.labels) for _, site in read_sites(file)]
    assert sites == [("oslo", "north", {"tier": "edge"}), ("rome", "south", {"tier": "edge"})]


def test_a_file_of_a_large_fleet_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sites.yaml"
    file.write_text("".join(f"- {{name: site-{n}, group: north, labels: {{a: b}}}}\n" for n in range(10_000)))
    assert len(read_sites(file)) == 10_000


@pytest.mark.parametrize(
    "text", ["9" * 5_000, "{" * 50_000, "{secret: [" + "[" * 5_000, "{[a]: b}", "{secret: \udcff}"]
)
def test_a_value_that_no_yaml_can_read_is_the_text_that_it_is(text: str) -> None:
    assert scalar(text) == text
