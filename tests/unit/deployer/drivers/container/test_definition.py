"""What is wanted of a container: the spec made whole by the connection, and the request that makes it."""

import json
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from services.deployer.drivers import Component, Order
from services.deployer.drivers.container.connection import BadConnection, connection_of
from services.deployer.drivers.container.definition import Definition, definition_of, images_before
from services.deployer.drivers.container.differences import differences
from services.deployer.drivers.container.names import BEFORE, DEFINITION, Seen
from services.deployer.drivers.container.request import body_of, size_of
from shared.components.container import ContainerSpec
from shared.components.images import image_of

DIGEST = f"sha256:{'a' * 64}"
IMAGE = f"registry.example:5000/team/app:1.2@{DIGEST}"


def wanted(connection: dict[str, Any] | None = None, **spec: Any) -> Definition:
    component = Component("web", "container", ContainerSpec.model_validate({"image": IMAGE, **spec}))
    it = Order("o1", "oslo", connection or {}, "shop", "apply", component, "1.0", "b" * 64)
    return definition_of(it, connection_of(it.connection))


def body(made: Definition, *, found: bool = True, podman: bool = False) -> dict[str, Any]:
    return body_of(made, "o1", ["old@1"], made.image.by_digest, found=found, podman=podman)


def test_the_site_the_app_and_the_version_are_filled_in_and_other_braces_stay() -> None:
    made = wanted(environment={"WHERE": "{site}/{app}", "JSON": '{"a": 1}'}, command=["run", "{version}"])
    assert made.fields["environment"] == {"WHERE": "oslo/shop", "JSON": '{"a": 1}'}
    assert made.fields["command"] == ["run", "1.0"]
    with pytest.raises(ValidationError, match=r"\{sight\} is never filled in"):
        wanted(environment={"WHERE": "{sight}"})


def test_a_value_of_the_site_stands_in_the_environment_and_in_no_label() -> None:
    made = wanted({"values": {"db": SecretStr("hidden-value")}}, site_environment={"PASSWORD": "db"})
    request = body(made)
    assert "PASSWORD=hidden-value" in request["Env"]
    assert "hidden-value" not in json.dumps(request["Labels"])
    assert "hidden-value" not in made.revision


def test_a_secret_that_overrides_name_stands_in_the_environment_and_in_no_label_and_no_revision() -> None:
    def with_word(word: str) -> Definition:
        spec = {"image": IMAGE, "environment": {"PASSWORD": word, "PLAIN": "text"}}
        named = {**spec, "environment": {"PASSWORD": {"secret": "shop-db"}, "PLAIN": "text"}}
        component = Component("web", "container", ContainerSpec.model_validate(spec), named=named)
        order = Order("o1", "oslo", {}, "shop", "apply", component, "1.0", "b" * 64)
        return definition_of(order, connection_of({}))

    made = with_word("hidden {site}")
    assert {"PASSWORD=hidden {site}", "PLAIN=text"} == set(body(made)["Env"])  # as it is: nothing is filled in
    assert "hidden" not in json.dumps(body(made)["Labels"]) + made.revision + str(made.spec)
    assert made.fields["site_environment"] == {"PASSWORD": "secret shop-db"}
    rotated = with_word("another")
    assert (rotated.revision, rotated.fields) == (made.revision, made.fields)
    told = differences(body(made)["Labels"], {"PASSWORD": "hidden {site}"}, rotated.fields, rotated.site_environment)
    assert told == ["environment.PASSWORD: another value is wanted (not shown)"]


def test_a_port_is_where_the_connection_says_and_else_where_the_spec_does() -> None:
    ports = [{"container": 80, "host": 8080}, {"container": 53, "protocol": "udp"}]
    made = wanted({"ports": {"80": 81, "53/udp": 5353}}, ports=ports)
    assert made.fields["ports"] == {"80/tcp": "0.0.0.0:81", "53/udp": "0.0.0.0:5353"}
    assert body(made)["HostConfig"]["PortBindings"]["80/tcp"] == [{"HostIp": "0.0.0.0", "HostPort": "81"}]
    with pytest.raises(ValueError, match=r"ports\.53/udp"):
        wanted(ports=ports)


def test_it_is_found_by_its_aliases_only_when_nobody_else_serves_under_them() -> None:
    made = wanted(networks=[{"name": "front", "aliases": ["shop"]}])
    (name,) = made.fields["networks"]
    for found, aliases in ((True, ["shop"]), (False, [])):
        assert body(made, found=found)["NetworkingConfig"]["EndpointsConfig"] == {name: {"Aliases": aliases}}


def test_a_check_whose_words_podman_would_take_apart_goes_through_the_shell() -> None:
    plain, spaced = (wanted(health={"command": words}) for words in (["test", "-e", "/x"], ["sh", "-c", "test -e /x"]))
    assert body(plain, podman=True)["Healthcheck"]["Test"] == ["CMD", "test", "-e", "/x"]
    assert body(spaced, podman=True)["Healthcheck"]["Test"] == ["CMD-SHELL", "sh -c 'test -e /x'"]
    assert body(spaced)["Healthcheck"]["Test"] == ["CMD", "sh", "-c", "test -e /x"]


def test_the_revision_is_the_image_and_all_that_the_release_wants_beside_it() -> None:
    assert wanted().revision == wanted({"url": "unix:///other"}).revision
    assert wanted(user="1").revision != wanted().revision
    assert wanted(pull="always").revision == wanted().revision


def test_so_many_images_are_kept_for_rollbacks_newest_first_and_never_the_one_that_runs() -> None:
    made = wanted()
    labels = {DEFINITION: json.dumps({"image": "b@2"}), BEFORE: f"c@1 {made.image.by_digest} d@0"}
    current = Seen("id", "name", "image", active=True, labels=labels)
    assert images_before(current, made, 2) == ["b@2", "c@1"]
    assert images_before(current, made, 9) == ["b@2", "c@1", "d@0"]
    assert images_before(None, made, 2) == []


@pytest.mark.parametrize(("text", "size"), [("7", 7), ("2k", 2048), ("64m", 64 * 1024**2), ("1g", 1024**3)])
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert size_of(text) == size


def test_an_image_is_taken_apart_and_named_by_its_digest_alone() -> None:
    image = image_of(IMAGE)
    assert (image.name, image.tag, image.digest) == ("registry.example:5000/team/app", "1.2", DIGEST)
    assert image.by_digest == f"registry.example:5000/team/app@{DIGEST}"
    assert [image_of(text).registry for text in (IMAGE, "team/app:1", "localhost/app:1", "app")] == [
        "registry.example:5000", None, "localhost", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"image": "app:1.2"}, "names no digest"),
        ({"image": "Not An Image"}, "name of an image"),
        ({"restart": {"policy": "always"}}, "unless-stopped"),
        ({"volumes": [{"target": "/d"}]}, "either `name`"),
        ({"volumes": [{"target": "/d", "name": "a"}], "temporary": ["/d"]}, "two are to be found at /d"),
        ({"ports": [{"container": 80}, {"container": 80}]}, "given twice"),
        ({"beside": True, "ports": [{"container": 80, "host": 80}]}, "cannot hold one port"),
        ({"environment": {"A": "1"}, "site_environment": {"A": "a"}}, "stands in environment and"),
        ({"limits": {"memory": "much"}}, "memory"),
    ],
)
def test_a_spec_that_cannot_be_is_refused_when_the_release_is_published(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        wanted(**spec)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("tcp://engine:abc", "tcp://host:2376"),
        ("tcp://engine:70000", "tcp://host:2376"),
        ("ssh://user@engine:0/run/docker.sock", "ssh://host:22"),
    ],
)
def test_a_port_that_is_none_is_a_fault_of_the_connection_and_said_to_be_so(url: str, right: str) -> None:
    with pytest.raises(BadConnection, match=f"url: .*must name a port from 1 to 65535, or none: {right}"):
        connection_of({"url": url})
