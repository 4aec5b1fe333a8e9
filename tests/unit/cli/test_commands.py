"""What the command line makes of the gateway's answers: tables, JSON, exit statuses, and errors that say what to do."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Answer, Asked, Stub

SITE = {"name": "oslo", "group": "north", "connections": {"process": {}}, "labels": {"region": "no"}, "managed": True}
FAULT = {"code": "unknown_site", "field": "selection.sites.0", "message": "there is no site 'x'", "value": "x"}
SECOND = {"code": "invalid_field", "field": "max_parallel", "message": "must be 1 to 5000", "value": 0}


WHAT = ("--app", "web", "--type", "update", "--version", "2.0")


def test_a_list_is_a_table_for_people(gateway: Stub, belay: Belay) -> None:
    gateway.items("/v1/sites", SITE | {"deployments": [{"app": "web", "version": "1.0", "status": "operational"}]})
    result = belay("site", "list")
    assert result.exit_code == 0
    head, row = result.stdout.splitlines()
    assert head.split()[:3] == ["name", "group", "runs"]
    assert row.split()[:4] == ["oslo", "north", "web", "1.0"]


def test_a_list_is_one_json_array_for_scripts_over_all_pages(gateway: Stub, belay: Belay) -> None:
    def page(asked: Asked) -> Answer:
        second = asked.query.get("cursor") == ["2"]
        return 200, {"items": [{"name": "b" if second else "a"}], "next": None if second else "2"}

    gateway.answers["GET /v1/sites"] = page
    assert json.loads(belay("site", "list", "--json").stdout) == [{"name": "a"}, {"name": "b"}]


def test_more_dead_letters_than_one_request_takes_are_sent_again_in_several(gateway: Stub, belay: Belay) -> None:
    gateway.items("/v1/dlq/t", *({"offset": number} for number in range(250)))
    gateway.accept("POST /v1/dlq/t/replay")
    result = belay("dlq", "replay", "t", "--all")
    assert (result.exit_code, result.stdout) == (0, "sent again: 250\n")
    asked = [one.body["offsets"] for one in gateway.sent("POST")]
    assert [len(offsets) for offsets in asked] == [100, 100, 50]
    assert [offset for offsets in asked for offset in offsets] == list(range(250))


def test_a_release_says_where_it_can_be_installed(gateway: Stub, belay: Belay) -> None:
    release = {"app": "web", "version": "1.0", "requires": {"python": ">=3.11", "platforms": ["linux_aarch64"]}}
    gateway.answers["GET /v1/releases/web/1.0"] = 200, release
    shown = belay("release", "show", "web", "1.0").stdout
    assert ">=3.11" in shown
    assert "linux_aarch64" in shown


def test_a_release_says_its_rules_its_images_and_what_there_is_to_know(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/releases/web/1.0"] = (
        200,
        {
            "app": "web",
            "version": "1.0",
            "rules": {"importance": "critical", "recover": "always", "site": {"facts": {"kubernetes": ">=1.24"}}},
            "images": ["quay.io/web:1"],
            "notices": ["metadata.yaml:3:helm_repo: there is no repository"],
            "components": [{"name": "db", "driver": "helm", "after": [], "enabled": False}],
        },
    )
    shown = belay("release", "show", "web", "1.0").stdout
    assert all(
        part in shown for part in ("importance: critical", ">=1.24", "quay.io/web:1", "helm_repo", "db (helm, off)")
    )
    assert "recover" not in shown


def test_an_empty_list_says_so_on_stderr_and_is_no_failure(gateway: Stub, belay: Belay) -> None:
    gateway.items("/v1/groups")
    result = belay("group", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "belay group create" in result.stderr
    assert json.loads(belay("group", "list", "--json").stdout) == []


def test_a_refusal_names_every_fault_and_ends_with_3(gateway: Stub, belay: Belay) -> None:
    gateway.refuse("POST /v1/strategies", 422, "invalid_field", FAULT, SECOND)
    result = belay("strategy", "create", "s", *WHAT, "--site", "x", "--max-parallel", "0")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "selection.sites.0 = 'x': there is no site 'x'  [unknown_site]" in result.stderr
    assert "max_parallel = 0: must be 1 to 5000  [invalid_field]" in result.stderr


def test_a_refusal_as_json_stands_on_stderr_with_every_fault(gateway: Stub, belay: Belay) -> None:
    gateway.refuse("POST /v1/strategies", 409, "site_held", FAULT, SECOND)
    result = belay("strategy", "create", "s", *WHAT, "--all", "--json")
    assert result.stdout == ""
    problem = json.loads(result.stderr)
    assert (problem["code"], problem["status"], len(problem["faults"])) == ("site_held", 3, 2)


def test_what_a_strategy_lacks_is_named_as_options_all_at_once_and_ends_with_2(gateway: Stub, belay: Belay) -> None:
    result = belay("strategy", "create", "--json")
    assert result.exit_code == 2
    assert [fault["field"] for fault in json.loads(result.stderr)["faults"]] == [
        "NAME", "--app", "--type", "--version", "--site, --group, --select or --all",
    ]  # fmt: skip
    back = belay("strategy", "create", "s", "--app", "web", "--type", "rollback", "--json")
    assert [fault["field"] for fault in json.loads(back.stderr)["faults"]] == ["--site, --group, --select or --all"]
    assert gateway.sent("POST") == []


def test_options_become_the_body_that_the_api_takes(gateway: Stub, belay: Belay) -> None:
    gateway.accept("POST /v1/strategies")
    result = belay(
        "strategy", "create", "s", "--app", "web", "--version", "1.0", "--type", "update", "--group", "north",
        "--select", "region=no", "--stage", "canary:1::30s", "--stage", "rest", "--max-parallel", "20%",
        "--threshold", "5", "--step-timeout", "5m", "--json",
    )  # fmt: skip
    assert result.exit_code == 0
    assert gateway.sent("POST")[0].body == {
        "name": "s",
        "app": "web",
        "version": "1.0",
        "type": "update",
        "selection": {"groups": ["north"], "labels": {"region": "no"}},
        "stages": [{"name": "canary", "take": "1", "soak_seconds": 30}, {"name": "rest"}],
        "max_parallel": "20%",
        "on_failure": {"stop_on_failure": False, "threshold": "5"},
        "step_timeout_seconds": 300,
    }


def test_a_strategy_that_waits_for_its_release_needs_no_version_and_says_what_it_waits_for(
    gateway: Stub, belay: Belay
) -> None:
    gateway.accept("POST /v1/strategies", name="s", stages=0)
    made = belay("strategy", "create", "s", "--app", "web", "--type", "update", "--all", "--publication", "p-1")
    assert gateway.sent("POST")[0].body["publication"] == "p-1"
    assert "is planned once its release is published; `belay strategy apply` lets it begin then" in made.output
    why = {"code": "publication", "message": "waits for publication p-1, and is planned then"}
    waiting = {"name": "s", "stages": [], "why": why, "targets": [], "excluded": []}
    gateway.answers["GET /v1/strategies/s"] = 200, waiting
    assert "no stages: waits for publication p-1" in belay("strategy", "plan", "s").output


def test_never_stop_wins_over_the_threshold_of_a_file_and_contradicts_one_beside_it(
    gateway: Stub, belay: Belay, tmp_path: Path
) -> None:
    gateway.accept("POST /v1/strategies")
    spec = tmp_path / "s.yaml"
    spec.write_text("name: s\non_failure: {stop_on_failure: true, threshold: 20%, then: pause}\n")
    assert belay("strategy", "create", *WHAT, "--all", "-f", str(spec), "--never-stop").exit_code == 0
    assert gateway.sent("POST")[0].body["on_failure"] == {"stop_on_failure": False, "then": "pause"}
    assert belay("strategy", "create", "s", "--never-stop", "--threshold", "3").exit_code == 2


def test_what_a_strategy_does_not_let_people_do_now_says_what_it_does_let_them(gateway: Stub, belay: Belay) -> None:
    gateway.refuse(
        "POST /v1/strategies/s/resume",
        409,
        "wrong_state",
        {"code": "wrong_state", "field": "strategy", "message": "it is applying"},
    )
    gateway.answers["GET /v1/strategies/s"] = 200, {"name": "s", "actions": ["pause", "cancel_running"]}
    done = belay("strategy", "resume", "s")
    assert done.exit_code == 3
    assert "now possible: `belay strategy` pause, cancel-running" in done.stderr
    gateway.answers.pop("GET /v1/strategies/s")
    assert "possible" not in belay("strategy", "resume", "s").stderr


def test_a_site_is_changed_fact_by_fact(gateway: Stub, belay: Belay) -> None:
    gateway.accept("PATCH /v1/sites", sites=1)
    told = belay("site", "set", "00:1B", "--no-managed", "--label", "tier=gold", "--unlabel", "old")
    assert (told.exit_code, told.stdout) == (0, "changed: 1 site\n")
    assert gateway.sent("PATCH")[0].body == {
        "selection": {"sites": ["00:1B"]},
        "managed": False,
        "labels": {"tier": "gold"},
        "unlabel": ["old"],
    }
    assert belay("site", "set", "oslo").exit_code == 2


def test_registering_a_site_that_is_there_loses_nothing_without_being_told_to(gateway: Stub, belay: Belay) -> None:
    gateway.items("/v1/sites", SITE | {"simplex": False})
    gateway.accept("POST /v1/sites")
    refused = belay("site", "register", "oslo", "--no-managed")
    assert refused.exit_code == 2
    assert "group, labels, managed" in refused.stderr
    assert gateway.sent("POST") == []
    assert belay("site", "register", "oslo", "--no-managed", "--replace").exit_code == 0


def test_the_token_goes_with_every_request_and_commands_have_a_key(gateway: Stub, belay: Belay) -> None:
    gateway.accept("DELETE /v1/sites/a%2Fb")
    assert belay("site", "remove", "a/b").exit_code == 0
    (asked,) = gateway.asked
    assert asked.headers["Authorization"] == "Bearer t-1"
    assert len(asked.headers["Idempotency-Key"]) > 20


@pytest.mark.parametrize(("status", "exit_code"), [(401, 4), (403, 4), (503, 4), (404, 3), (409, 3), (422, 3)])
def test_each_kind_of_refusal_has_its_exit_status(gateway: Stub, belay: Belay, status: int, exit_code: int) -> None:
    gateway.refuse("GET /v1/sites/oslo", status, "some_code")
    assert belay("site", "show", "oslo").exit_code == exit_code


def test_no_gateway_is_4_and_says_what_to_do(belay: Belay, tmp_path: Path) -> None:
    result = belay("site", "list", url="")
    assert result.exit_code == 4
    assert f"no Belay has run in {tmp_path}" in result.stderr.replace("\n", "")
    assert "belay up" in result.stderr
    assert belay("site", "list", url="http://127.0.0.1:9").exit_code == 4


def test_a_gateway_is_found_by_its_note_and_the_token_by_its_file(gateway: Stub, belay: Belay, tmp_path: Path) -> None:
    gateway.items("/v1/groups")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "gateway-1.json").write_text(json.dumps({"url": gateway.url}))
    (tmp_path / "admin.token").write_text("of-the-home\n")
    assert belay("group", "list", "--url", "", "--token", "").exit_code == 0
    assert gateway.asked[0].headers["Authorization"] == "Bearer of-the-home"


def test_wrong_usage_is_2_and_nothing_is_sent(gateway: Stub, belay: Belay) -> None:
    for arguments in (
        ("site",), ("site", "list", "--colour"), ("strategy", "create", "--stage", "a:1:1:soon"), ("no-such-noun",),
        ("notification", "read"), ("dlq", "replay", "t"), ("site", "list", "--label", "x"), ("up", "--replicas", "x"),
    ):  # fmt: skip
        assert belay(*arguments).exit_code == 2, arguments
    assert gateway.asked == []


def test_an_answer_that_comes_late_is_waited_for(gateway: Stub, belay: Belay) -> None:
    gateway.answers["POST /v1/groups"] = 202, {"command_id": "c-9", "state": "sent"}
    gateway.answers["GET /v1/commands/c-9"] = 200, {"command_id": "c-9", "state": "rejected", "faults": [FAULT]}
    result = belay("group", "create", "north")
    assert result.exit_code == 3
    assert "there is no site 'x'" in result.stderr


def test_an_import_is_sent_in_batches_and_a_refusal_names_the_line(gateway: Stub, belay: Belay, tmp_path: Path) -> None:
    def batch(asked: Asked) -> Answer:
        if len(asked.body["sites"]) == 500:
            return 202, {"command_id": "c", "state": "accepted", "result": {}}
        fault = FAULT | {"field": "sites.1.group", "code": "unknown_group"}
        return 422, {"title": "refused", "status": 422, "code": "unknown_group", "faults": [fault]}

    gateway.answers["POST /v1/sites"] = batch
    file = tmp_path / "sites.csv"
    file.write_text("name\n" + "".join(f"site-{number}\n" for number in range(503)))
    result = belay("site", "import", str(file))
    assert result.exit_code == 3
    assert [len(asked.body["sites"]) for asked in gateway.asked] == [500, 3]
    assert "line 503: group" in result.stderr
    assert "the 500 sites before line 502 are registered" in result.stderr


def test_a_faulty_file_is_refused_whole(gateway: Stub, belay: Belay, tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    file.write_text("name\noslo\nOSLO\n")
    assert belay("site", "import", str(file)).exit_code == 2
    file.write_text("name\noslo\n")
    assert belay("site", "import", str(file), "--check").exit_code == 0
    assert gateway.asked == []


def test_a_secret_of_a_webhook_comes_from_the_environment(
    gateway: Stub, belay: Belay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_WEBHOOK_SECRET", "s3cret")
    gateway.accept("POST /v1/subscriptions")
    belay("subscription", "add", "ops", "https://hooks.example/x", "--topic", "error")
    assert gateway.asked[0].body == {
        "name": "ops",
        "url": "https://hooks.example/x",
        "topics": ["error"],
        "secret": "s3cret",
    }


def test_every_command_has_a_help_text_and_the_common_options(belay: Belay) -> None:
    for arguments in (("site", "list"), ("strategy", "watch"), ("dlq", "replay"), ("demo",), ("completion",)):
        text = belay(*arguments, "--help").stdout
        assert "--json" in text
        assert "--url" in text
    assert "Exit status" in belay("--help").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_names_us(belay: Belay, shell: str) -> None:
    assert "belay" in belay("completion", shell).stdout


BELAY = [sys.executable, "-c", "from services.cli import main; main()"]


def test_a_reader_that_goes_away_leaves_no_traceback(gateway: Stub) -> None:
    gateway.items("/v1/sites", *(SITE | {"name": f"site-{number}"} for number in range(20_000)))
    shell = f'{" ".join(BELAY[:2])} "{BELAY[2]}" site list --url {gateway.url} | head -1'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("name")
    assert done.stderr == ""


def test_ctrl_c_ends_a_watch_quietly_with_130(gateway: Stub) -> None:
    gateway.answers["GET /v1/strategies/s"] = 200, STRATEGY | {"state": "applying"}
    watching = [*BELAY, "strategy", "watch", "s", "--url", gateway.url, "--json"]
    running = subprocess.Popen(watching, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout
    running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=20)
    assert (running.returncode, errors.strip()) == (130, "")


def test_a_defect_is_told_in_one_sentence_without_a_traceback(gateway: Stub) -> None:
    gateway.answers["GET /v1/strategies/s"] = 200, {"surprise": True}
    command = [*BELAY, "strategy", "show", "s", "--url", gateway.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 70
    assert "Traceback" not in done.stderr
    assert "BELAY_DEBUG=1" in done.stderr


STRATEGY = {
    "strategy_id": "s", "name": "s", "spec": {"type": "update", "app": "web", "version": "1"}, "state": "complete",
    "why": None, "stages": [], "counts": {"complete": 1}, "excluded": [], "excluded_count": 0,
}  # fmt: skip


class Course:
    """A strategy that is read in one state after another; the last stays."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)

    def __call__(self, _: Asked) -> Answer:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return 200, STRATEGY | {"state": state, "finished_at": "then" if state in ("failed", "complete") else None}


def test_a_watch_ends_with_the_strategy_and_its_status_is_the_outcome(gateway: Stub, belay: Belay) -> None:
    gateway.events = ["strategy_state_changed"] * 3
    gateway.answers["GET /v1/strategies/s"] = Course("applying", "complete")
    result = belay("strategy", "watch", "s")
    assert result.exit_code == 0
    assert [line.split()[-1] for line in result.stdout.splitlines()] == ["applying", "complete"]
    gateway.answers["GET /v1/strategies/s"] = Course("applying", "failed")
    assert belay("strategy", "watch", "s").exit_code == 1


def test_an_earlier_end_is_not_taken_for_that_of_a_command(gateway: Stub, belay: Belay) -> None:
    gateway.accept("POST /v1/strategies/s/retry")
    gateway.answers["GET /v1/strategies/s"] = Course("failed", "failed", "failed", "applying", "complete")
    result = belay("strategy", "retry", "s", "--watch")
    assert [line.split()[-1] for line in result.stdout.splitlines()] == ["applying", "complete"]
    assert result.exit_code == 0


def test_a_watch_as_json_is_a_document_a_change(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/strategies/s"] = Course("ready", "applying", "complete")
    gateway.events = ["stage_progressed"]
    lines = belay("strategy", "watch", "s", "--json").stdout.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["ready", "applying", "complete"]


def test_a_watch_outlives_a_gateway_that_is_away_for_a_moment(gateway: Stub, belay: Belay) -> None:
    course = Course("applying", "complete")
    away = iter([False, True, True])

    def answer(asked: Asked) -> Answer:
        return (503, {"title": "away", "status": 503}) if next(away, False) else course(asked)

    gateway.answers["GET /v1/strategies/s"] = answer
    gateway.events = ["stage_progressed"]
    assert belay("strategy", "watch", "s").exit_code == 0


def test_a_watch_without_news_reads_anew_by_itself(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/strategies/s"] = Course("applying", "complete")
    begun = time.monotonic()
    assert belay("strategy", "watch", "s").exit_code == 0
    assert time.monotonic() - begun < 10


def test_a_strategy_that_there_is_not_is_refused_after_a_moment_of_grace(
    belay: Belay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.feed.APPEARS_SECONDS", 0.5)
    assert belay("strategy", "watch", "none").exit_code == 3


def test_a_stream_of_logs_is_not_promised_as_json(belay: Belay) -> None:
    assert belay("up", "--json").exit_code == 2


STANDING = {
    "availability": "offline", "since": "2026-11-21T09:30:00Z", "seen_at": "2026-11-21T09:28:00Z", "managed": False,
    "maintenance": True, "cause": {"code": "refused", "message": "connection refused"}, "free_bytes": 2**31,
    "facts": {"platform": "linux/arm64"},
    "alarms": [
        {
            "alarm": "disk-full", "severity": "major", "management_affecting": True, "text": "97 % used",
            "raised_at": "2026-11-21T09:00:00Z", "raised_by": "ann",
        }
    ],
}  # fmt: skip


def test_a_site_says_whether_it_answers_and_what_is_wrong_with_it(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/sites/oslo"] = 200, SITE | STANDING
    shown = belay("site", "show", "oslo").stdout
    for words in ("offline since 2026-11-21", "unmanaged, in maintenance, 1 alarm", "connection refused [refused]"):
        assert words in shown
    for words in ("2.0 GiB", "platform=linux/arm64", "disk-full (major, affects management) since", ": 97 % used"):
        assert words in shown


def test_sites_are_listed_by_how_they_are(gateway: Stub, belay: Belay) -> None:
    gateway.items("/v1/sites", SITE)
    assert belay("site", "list", "--availability", "offline", "--maintenance", "--no-alarms").exit_code == 0
    query = gateway.asked[0].query
    assert (query["availability"], query["maintenance"], query["alarms"]) == (["offline"], ["true"], ["false"])
    assert "managed" not in query


def test_sites_are_taken_into_maintenance_and_left_alone(gateway: Stub, belay: Belay) -> None:
    gateway.accept("PATCH /v1/sites", sites=2)
    for verb in ("maintain", "unmaintain", "manage", "unmanage"):
        assert belay("site", verb, "oslo", "bergen").exit_code == 0
    told = [{key: value for key, value in asked.body.items() if key != "selection"} for asked in gateway.asked]
    assert told == [{"maintenance": True}, {"maintenance": False}, {"managed": True}, {"managed": False}]


def test_alarms_are_raised_listed_and_cleared(gateway: Stub, belay: Belay) -> None:
    gateway.accept("PUT /v1/sites/oslo/alarms/disk-full")
    gateway.accept("DELETE /v1/sites/oslo/alarms/disk-full")
    gateway.items("/v1/alarms", {"site": "oslo", **STANDING["alarms"][0]})  # type: ignore[index]
    raised = belay("site", "alarm", "raise", "oslo", "disk-full", "--severity", "critical", "--management-affecting")
    assert raised.exit_code == 0
    assert gateway.asked[0].body == {"severity": "critical", "management_affecting": True, "text": ""}
    assert "97 % used" in belay("site", "alarm", "list", "oslo", "--management-affecting").stdout
    assert belay("site", "alarm", "clear", "oslo", "disk-full").exit_code == 0


def test_a_site_is_asked_now_and_shown_once_it_was(gateway: Stub, belay: Belay) -> None:
    moments = iter(["2026-11-21T09:30:00Z", "2026-11-21T09:30:00Z", "2026-11-21T09:31:00Z"])
    gateway.answers["GET /v1/sites/oslo"] = lambda _: (200, SITE | STANDING | {"checked_at": next(moments)})
    gateway.accept("POST /v1/sites/oslo/check", site="oslo")
    assert "connection refused" in belay("site", "check", "oslo").stdout
    assert [asked.method for asked in gateway.asked] == ["GET", "POST", "GET", "GET"]


def test_all_apps_of_a_site_are_updated_with_one_report(gateway: Stub, belay: Belay) -> None:
    items = [
        {"app": "shop", "state": "updated", "from_version": "1.0", "to_version": "2.0", "cause": None,
         "operation_id": "o"},
        {"app": "till", "state": "left", "from_version": "1.0", "to_version": None, "operation_id": None,
         "cause": {"code": "no_newer_release", "message": "there is no newer release"}},
    ]  # fmt: skip
    report = {
        "run_id": "r1", "site": "oslo", "kind": "update", "state": "done", "items": items, "cause": None,
        "started_at": "2026-11-21T09:30:00Z", "finished_at": "2026-11-21T09:31:00Z", "requested_by": "ada",
    }  # fmt: skip
    gateway.accept("POST /v1/sites/oslo/run-all", run_id="r1")
    gateway.answers["GET /v1/site-runs/r1"] = 200, report
    done = belay("site", "update-all", "oslo", "--app", "shop", "--go-on")
    assert done.exit_code == 0
    assert "there is no newer release" in done.stdout
    assert gateway.sent("POST")[0].body == {
        "kind": "update", "apps": ["shop"], "prereleases": False, "on_failure": "go_on",
    }  # fmt: skip
    cause = {"code": "failed", "message": "it broke"}
    gateway.answers["GET /v1/site-runs/r1"] = 200, {**report, "state": "failed", "cause": cause}
    failed = belay("site", "update-all", "oslo")
    assert failed.exit_code != 0
    assert "it broke" in failed.stderr
    assert belay("site", "rollback-all", "oslo", "--no-wait").exit_code == 0


def test_what_is_done_by_itself_with_an_app_is_switched_and_shown(gateway: Stub, belay: Belay) -> None:
    gateway.accept("PATCH /v1/behaviours/shop", nth=1)
    assert (
        belay("app", "behaviour", "shop", "--auto-update", "--no-audit", "--as-released", "desired-state").exit_code
        == 0
    )
    assert gateway.sent("PATCH")[0].body == {
        "switches": {"auto_update": True, "audit": False}, "as_released": ["desired_state"], "reason": "",
    }  # fmt: skip
    gateway.items("/v1/behaviours")
    assert "as its releases say" in belay("app", "behaviour", "shop").stdout
    assert belay("app", "behaviour", "shop", "--as-released", "nonsense").exit_code == 2
    gateway.accept("POST /v1/failed-releases/shop/2.0.0/clear", failures=0)
    assert belay("release", "clear-failed", "shop", "2.0.0", "--site", "oslo").exit_code == 0
    assert gateway.sent("POST")[-1].body == {"sites": ["oslo"]}
    gateway.accept("POST /v1/apps/shop/reapply", sites=3)
    assert "on 3 sites" in belay("app", "reapply", "shop").stdout
