"""Templates mean what they mean in docker: every sample below is what docker/cli 28 printed for the same JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock.errors import BadRequest
from minidock.views.listing import inspected, listing
from minidock.views.template import Template

CONTAINER: dict[str, Any] = {
    "Id": "0123456789abcdef", "Name": "/web", "Created": "2025-01-01T00:00:00Z",
    "State": {"Status": "running", "Running": True, "Pid": 42, "ExitCode": 0},
    "Config": {"Labels": {"a.b": "c", "x": "y"}, "Env": ["A=1", "B=2"], "Cmd": ["sh", "-c"], "Entrypoint": None,
               "Hostname": "h", "Volumes": None, "Image": "<a&b>"},
    "HostConfig": {"Binds": None, "NetworkMode": "br0", "PortBindings": {}, "Sysctls": None},
    "NetworkSettings": {
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
                  "53/udp": None},
        "Networks": {"br0": {"IPAMConfig": None, "IPAddress": "172.28.0.2", "Gateway": "172.28.0.1"},
                     "aaa": {"IPAMConfig": None, "IPAddress": "10.0.0.2", "Gateway": ""}}},
    "Mounts": [],
}

PRINTED = [
    ("{{.Name}}", "/web"),
    ("{{.Id}} {{.State.Pid}} {{.State.Running}}", "0123456789abcdef 42 true"),
    ("{{json .Config.Labels}} {{json .Config.Env}} {{json .HostConfig.Binds}} {{json .Name}} {{json .Config.Image}}",
     '{"a.b":"c","x":"y"} ["A=1","B=2"] null "/web" "<a&b>"'),
    ("{{range .Config.Env}}[{{.}}]{{end}}", "[A=1][B=2]"),
    ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a.b=c;x=y;"),
    ("{{range $i, $v := .Config.Env}}{{$i}}:{{$v}} {{$.Name}};{{end}}", "0:A=1 /web;1:B=2 /web;"),
    ("{{range $v := .Config.Env}}{{$v}},{{end}}", "A=1,B=2,"),
    ("{{range .HostConfig.Binds}}x{{else}}none{{end}}", "none"),
    ("{{if .State.Running}}yes{{else}}no{{end}} {{if .HostConfig.Binds}}yes{{else}}no{{end}}", "yes no"),
    ("{{if .HostConfig.Binds}}1{{else if .State.Running}}2{{else}}3{{end}}", "2"),
    ("{{with .State}}{{.Pid}}{{end}}", "42"),
    ("{{with $x := .State.Pid}}{{$x}} {{.}}{{end}}", "42 42"),
    ('{{index .Config.Labels "a.b"}} {{index .Config.Labels "no"}}| {{index .Config.Env 1}}', "c | B=2"),
    ('{{(index .NetworkSettings.Networks "br0").IPAddress}}', "172.28.0.2"),
    ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"),
    ("{{range $p, $conf := .NetworkSettings.Ports}}{{if $conf}}{{$p}} -> {{(index $conf 0).HostPort}} {{end}}{{end}}",
     "80/tcp -> 8080 "),
    ("{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", "10.0.0.2 172.28.0.2 "),
    ("{{.NetworkSettings.Networks.br0.IPAddress}}", "172.28.0.2"),
    ("{{len .Config.Env}} {{len .Name}} {{len .HostConfig.Binds}} {{len .Config.Labels}}", "2 4 0 2"),
    ('{{join .Config.Env ","}} {{join .Config.Cmd " "}}', "A=1,B=2 sh -c"),
    ('{{upper .Name}} {{lower "ABC"}} {{title "hello wORLD o\'neil a_b"}} {{.Name | upper | printf "%s!"}}',
     "/WEB abc Hello WORLD O'Neil A_b /WEB!"),
    ('{{println .Name "x" 1 2}}|{{print .Name 1 2 "a" "b" 3}}|{{println}}|', "/web x 1 2\n|/web1 2ab3|\n|"),
    (("{{.Config.Labels}} {{.Config.Env}} {{.Config.Entrypoint}} {{."
     "Config.Volumes}} {{.HostConfig.Sysctls}} {{.HostConfig.Binds}}"),
     "map[a.b:c x:y] [A=1 B=2] [] map[] map[] []"),
    ("{{.Config.Labels.x}} {{.Config.Labels.nope}}", "y <no value>"),
    ("  {{- .Name -}}  ", "/web"),
    ("a  {{- /* comment */ -}}  b {{/* c */}} d", "ab  d"),
    ('a {{- " x " -}} b', "a x b"),
    ('{{split .Name "w"}} {{index (split "a:b" ":") 1}}', "[/ eb] b"),
    ('{{printf "%.4s|%-6s|%5d|%v|%q|%%|%t" .Id "ab" 42 .Config.Env "x" .State.Running}}',
     '0123|ab    |   42|[A=1 B=2]|"x"|%|true'),
    (('{{eq .Name "/web"}} {{ne .Name "x"}} {{and true .Name}} {{'
     'or "" "z"}} {{not .State.Running}} {{gt 3 2}} {{eq 1 2 1}}'),
     "true true /web z false true true"),
    ('{{if and .State.Running (eq .Name "/web")}}ok{{end}}', "ok"),
    ("{{$x := .Name}}{{$x}}-{{$x}}", "/web-/web"),
    ('{{`raw "q"`}} {{"es\\tc"}} {{"é"}}', 'raw "q" es\tc é'),
    ("{{truncate .Id 5}} {{pad .Name 1 2}}|", "01234  /web  |"),
    ("{{.Name}} }} {{.Id}}", "/web }} 0123456789abcdef"),
    ('{{range .Config.Env}}{{if eq . "A=1"}}first{{else}}{{.}}{{end}} {{end}}', "first B=2 "),
    ("{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.Gateway}};{{end}}", "aaa ;br0 172.28.0.1;"),
    ("{{ .Name }}{{ .Id }}", "/web0123456789abcdef"),
    ("{{.Config.Labels.x | upper}}", "Y"),
    ("{{range .Mounts}}a{{end}}|", "|"),
    ("{{$.Name}} {{with .Config}}{{$.Name}} {{.Hostname}}{{end}}", "/web /web h"),
    ("{{.Config.Labels.nope.more}}", "<no value>"),
    ('{{ 1 | print 2 }}{{ (print "a") }}', "2 1a"),
]

REFUSED = [
    ("{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> {{(index $conf 0).HostPort}} {{end}}",
     ':1:58: executing "" at <index $conf 0>: error calling index: index of untyped nil'),
    ("{{.Nope}}", ':1:2: executing "" at <.Nope>: map has no entry for key "Nope"'),
    ("{{.State.Nope}}", ':1:8: executing "" at <.State.Nope>: map has no entry for key "Nope"'),
    ("{{json .Nope}}", ':1:7: executing "" at <.Nope>: map has no entry for key "Nope"'),
    ("x\n {{.State.Pid.Foo}}",
     ':2:9: executing "" at <.State.Pid.Foo>: can\'t evaluate field Foo in type interface {}'),
    ("{{.name}}", ':1:2: executing "" at <.name>: map has no entry for key "name"'),
    ("{{nope .Name}}", ':1: function "nope" not defined'),
    ("{{.Name", ":1: unclosed action"),
    ("{{if .Name}}x", ":1: unexpected EOF"),
    ("{{end}}", ":1: unexpected {{end}}"),
    ("{{}}", ":1: missing value for command"),
    ("{{index .Config.Env 9}}",
     ':1:2: executing "" at <index .Config.Env 9>: error calling index: index out of range: 9'),
    ('{{.Name "x"}}', ':1:2: executing "" at <.Name>: Name is not a method but has arguments'),
    ("{{range $k, $v := .Config.Env}}{{$k}}{{end}}{{$k}}", ':1: undefined variable "$k"'),
]


@pytest.mark.parametrize(("template", "text"), PRINTED)
def test_a_template_prints_what_docker_prints(template: str, text: str) -> None:
    assert inspected(template, [CONTAINER]) == text


@pytest.mark.parametrize(("template", "words"), REFUSED)
def test_a_wrong_template_fails_with_dockers_words(template: str, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        inspected(template, [CONTAINER])
    assert caught.value.what == f"template parsing error: template: {words}"
    assert caught.value.hint


def test_the_hint_is_the_nearest_field_or_all_of_them() -> None:
    for template, hint in (("{{.name}}", "did you mean .Name?"), ("{{.State.Runing}}", "did you mean .Running?"),
                           ("{{.Zzz}}", "the fields are: .Id .Name .Created .State")):
        with pytest.raises(BadRequest) as caught:
            inspected(template, [CONTAINER])
        assert caught.value.hint.startswith(hint)


def test_inspect_prints_a_line_for_each_or_one_array() -> None:
    two = [{"A": 1, "B": "<&>"}, {"A": 2, "B": None}]
    assert inspected("{{.A}}", two) == "1\n2"
    assert inspected("json", two) == '[{"A":1,"B":"<&>"},{"A":2,"B":null}]'


def test_the_same_template_may_be_used_again() -> None:
    template = Template("{{$n := .N}}{{if $n}}{{$n}}{{end}}")
    assert [template.render({"N": number}) for number in (1, 0, 2)] == ["1", "", "2"]


ROWS: list[dict[str, Any]] = [
    {"ID": "abcdef012345", "Name": "br0", "Driver": "bridge", "Label": lambda key: {"a.my-key": "v"}.get(key, "")},
    {"ID": "123", "Name": "a-long-name", "Driver": "null", "Label": lambda key: ""},
]
HEADS = {"ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER"}
DEFAULT = "table {{.ID}}\t{{.Name}}"
KIND = "*network.networkContext"


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell] for line in text.split("\n")]


def test_a_table_has_a_line_of_heads_that_functions_leave_alone() -> None:
    made = listing(r'table {{upper .Name}}\t{{.Driver}}\t{{.Label "a.my-key"}}', ROWS, HEADS, DEFAULT, KIND)
    assert cells(made) == [["NAME", "DRIVER", "my key"], ["BR0", "bridge", "v"], ["A-LONG-NAME", "null"]]
    columns = [line.index(word) for line, word in zip(made.split("\n"), ("DRIVER", "bridge", "null"), strict=True)]
    assert len(set(columns)) == 1


def test_a_bare_table_is_the_default_and_stays_a_head_without_rows() -> None:
    assert listing("table", ROWS, HEADS, DEFAULT) == listing("", ROWS, HEADS, DEFAULT)
    assert cells(listing("table", ROWS, HEADS, DEFAULT))[1] == ["abcdef012345", "br0"]
    assert cells(listing("table", [], HEADS, DEFAULT)) == [["NETWORK ID", "NAME"]]


def test_a_template_without_table_is_a_line_for_each_row() -> None:
    assert listing(r'{{.ID}}\t{{.Label "a.my-key"}}', ROWS, HEADS, DEFAULT) == "abcdef012345\tv\n123\t"


def test_json_is_one_object_a_line_without_methods() -> None:
    assert listing("json", ROWS[1:], HEADS, DEFAULT) == '{"ID":"123","Name":"a-long-name","Driver":"null"}'
    assert listing("{{json .}}", ROWS[1:], HEADS, DEFAULT) == listing("json", ROWS[1:], HEADS, DEFAULT)


def test_an_unknown_field_of_a_row_names_dockers_type_even_without_rows() -> None:
    for form, rows in (("{{.Nope}}", ROWS), ("table {{.Nope}}", ROWS), ("table {{.Nope}}", ROWS[:0])):
        with pytest.raises(BadRequest) as caught:
            listing(form, rows, HEADS, DEFAULT, KIND)
        assert caught.value.what == ('template parsing error: template: :1:2: executing "" at <.Nope>:'
                                     " can't evaluate field Nope in type *network.networkContext")


@given(st.text(alphabet="{}.-|() \n$:=\"`aNif end rangelxoutwh/*", max_size=30))
def test_any_text_is_a_template_or_a_bad_request(source: str) -> None:
    try:
        assert isinstance(Template(source).render({"a": "b", "N": [1, {"a": None}]}), str)
    except BadRequest as error:
        assert error.what.startswith("template parsing error: ")


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_stays_as_it_is(text: str) -> None:
    assert Template(text).render({}) == text
