"""`compose.yaml`, as far as it can be held to the code without an engine."""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.conversation.settings import ConversationSettings
from actors.firebase_bridge.settings import FirebaseSettings
from app.settings import HandlersSettings, RegisterSettings
from chassis.settings import Section, load
from deploy import compose_command
from deploy.image import healthcheck
from devstack import openfga
from devstack.compose_env import environment
from devstack.keys import AUDIENCE, SecretKey
from devstack.openfga import OpenFgaOptions, OpenFgaServer
from devstack.restate import RestateOptions
from edge.settings import EdgeSettings
from services.erasure.settings import ErasureSettings
from services.mcp.settings import McpSettings
from services.openfga.settings import OpenFgaSettings
from services.openrouter.settings import OpenRouterSettings
from tests.support.repository import ROOT
from workflows.generation.settings import GenerationSettings

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
KRAKEND: dict[str, Any] = json.loads((ROOT / "krakend" / "krakend.json").read_text())
SECTIONS: dict[str, tuple[type[Section], ...]] = {
    "edge": (EdgeSettings,),
    "handlers": (
        HandlersSettings,
        ConversationSettings,
        ErasureSettings,
        FirebaseSettings,
        GenerationSettings,
        McpSettings,
        OpenFgaSettings,
        OpenRouterSettings,
    ),
    "authorization": (OpenFgaSettings,),
    "register": (RegisterSettings,),
}
ONE_SHOT = {"register", "authorization", "openfga-tables"}
ENVIRONMENT = environment(SecretKey(tenant_id="demo", user_id="visitor"))


def names(section: type[Section]) -> set[str]:
    """The environment variables that a section reads."""
    prefix = section.model_config.get("env_prefix", "")
    return {
        str(field.validation_alias or f"{prefix}{name}").upper()
        for name, field in section.model_fields.items()
    }


def port_of(service: str) -> int:
    """The port that a program of ours is told to listen on."""
    command: list[str] = SERVICES[service]["command"]
    return int(command[command.index("--port") + 1])


def published(service: str) -> dict[int, str]:
    """Ports inside the container, and the address outside."""
    pairs = (port.rpartition(":") for port in SERVICES[service].get("ports", ()))
    return {int(inside): outside for outside, _, inside in pairs}


def interpolated(text: str) -> str:
    """The text with the defaults of its variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.fixture
def compose() -> tuple[str, ...]:
    """The command of docker compose."""
    command = compose_command.find()
    if command is None:
        pytest.skip("no docker compose v2 is here; `make image-test` builds one")
    return command


def config(compose: tuple[str, ...], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Have docker compose check the file with these variables and no others."""
    return subprocess.run(
        (*compose, "--env-file", os.devnull, "--file", "compose.yaml", "config", "--quiet"),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", ""), **variables},
        check=False,
        capture_output=True,
        text=True,
    )


def test_docker_compose_takes_it(compose: tuple[str, ...]) -> None:
    done = config(compose, ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_a_python_without_our_libraries_makes_the_variables_that_a_shell_reads() -> None:
    made = subprocess.run(
        (sys.executable, "-S", "-m", "devstack.compose_env"),
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    words = shlex.split(made.stdout, comments=True)
    variables = dict(word.split("=", 1) for word in words)
    assert set(variables) == set(ENVIRONMENT)
    [setting] = json.loads(variables["EDGE_SECRET_KEYS"])
    assert setting["sha256"] == hashlib.sha256(variables["YOCASO_KEY"].encode()).hexdigest()


def test_docker_compose_names_each_secret_that_is_not_set(compose: tuple[str, ...]) -> None:
    secrets = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text()))
    assert secrets == set(ENVIRONMENT) - {"YOCASO_KEY"}
    for secret in secrets:
        rest = {name: value for name, value in ENVIRONMENT.items() if name != secret}
        done = config(compose, rest)
        assert done.returncode != 0
        assert secret in done.stderr


@pytest.mark.parametrize("service", SECTIONS)
def test_every_variable_of_a_program_is_a_setting(service: str) -> None:
    known = {name for section in SECTIONS[service] for name in names(section)}
    assert set(SERVICES[service]["environment"]) <= known


def test_the_edge_reads_its_variables_as_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["edge"]["environment"].items():
        monkeypatch.setenv(name, ENVIRONMENT.get(name) or interpolated(value))
    mistakes: list[str] = []
    settings = load(EdgeSettings, mistakes)
    assert not mistakes
    assert settings is not None
    assert settings.jwt_audience == AUDIENCE
    assert [str(network) for network in settings.trusted_proxies] == [f"{krakend_address()}/32"]


def krakend_address() -> str:
    """Where KrakenD is on the network that it shares with the edge."""
    return interpolated(SERVICES["krakend"]["networks"]["front"]["ipv4_address"])


def test_krakend_and_the_edge_fit_together() -> None:
    assert KRAKEND["host"] == [f"http://edge:{port_of('edge')}"]
    assert set(published("krakend")) == {KRAKEND["port"]}
    health = f"http://127.0.0.1:{KRAKEND['port']}{KRAKEND['extra_config']['router']['health_path']}"
    assert SERVICES["krakend"]["healthcheck"]["test"][-1] == health
    [mount] = SERVICES["krakend"]["volumes"]
    assert mount.partition(":")[0] == "./krakend/krakend.json"
    assert SERVICES["edge"]["environment"]["EDGE_CORS"] == "false"


def test_programs_listen_where_the_health_check_asks() -> None:
    asked = {program: port for program, (port, _) in healthcheck.PROGRAMS.items()}
    assert asked == {
        "edge": port_of("edge"),
        "handlers": port_of("handlers"),
        "devstack.cloud": port_of("local-cloud"),
    }


def test_the_programs_find_each_other() -> None:
    edge, register = SERVICES["edge"]["environment"], SERVICES["register"]["environment"]
    assert register["HANDLERS_URL"] == f"http://handlers:{port_of('handlers')}"
    assert edge["EDGE_JWT_JWKS_URI"].startswith(f"http://local-cloud:{port_of('local-cloud')}/")
    for service in ("edge", "handlers"):
        assert SERVICES[service]["environment"]["BUS_PATH"] == "/run/yocaso/bus"
        assert "bus:/run/yocaso" in SERVICES[service]["volumes"]
    assert "-o 10001 -g 10001 /run/yocaso" in DOCKERFILE
    assert "USER 10001:10001" in DOCKERFILE


def test_the_handlers_read_the_key_file_that_the_local_cloud_makes() -> None:
    handlers, cloud = SERVICES["handlers"], SERVICES["local-cloud"]
    path = Path(handlers["environment"]["FIREBASE_SERVICE_ACCOUNT_FILE"])
    assert str(path) == cloud["environment"]["LOCAL_CLOUD_SERVICE_ACCOUNT"]
    assert f"identity:{path.parent}" in cloud["volumes"]
    assert f"identity:{path.parent}:ro" in handlers["volumes"]
    assert re.search(rf"-o 10001 -g 10001 .*{path.parent}$", DOCKERFILE, re.M)
    assert handlers["depends_on"]["local-cloud"] == {"condition": "service_healthy"}
    for name in ("FIREBASE_IDENTITY_URL", "FIREBASE_TOKEN_URL"):
        address = f"http://local-cloud:{port_of('local-cloud')}/firebase"
        assert handlers["environment"][name].startswith(address)


def test_restate_runs_as_the_development_stack_runs_it() -> None:
    ours = RestateOptions(data_path=Path(), log_path=Path()).environment()
    theirs: dict[str, str] = SERVICES["restate"]["environment"]
    places = {"RESTATE_BASE_DIR"}
    ports_and_addresses = {name for name in ours if "BIND" in name}
    assert set(theirs) == set(ours) - ports_and_addresses
    assert {name: ours[name] for name in set(theirs) - places} == {
        name: theirs[name] for name in set(theirs) - places
    }
    version = json.loads((ROOT / "package.json").read_text())
    pinned = {**version.get("dependencies", {}), **version.get("devDependencies", {})}
    assert interpolated(SERVICES["restate"]["image"]).endswith(
        f":{pinned['@restatedev/restate-server']}"
    )


def test_openfga_runs_as_the_development_stack_runs_it(tmp_path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    [version] = re.findall(r"^OPENFGA_VERSION := (.+)$", makefile, re.M)
    it = SERVICES["openfga"]
    assert interpolated(it["image"]).endswith(f"/openfga:v{version}")
    if openfga.binary() is None:
        pytest.skip("no OpenFGA server is installed, so nothing can be asked of it")
    ours = OpenFgaServer(OpenFgaOptions(tmp_path, tmp_path)).process.command.environment
    addresses = {name for name in ours if name.endswith("_ADDR")}
    assert set(it["environment"]) == set(ours) - addresses
    places = {"OPENFGA_DATASTORE_URI", "OPENFGA_AUTHN_PRESHARED_KEYS"}
    same = set(ours) - addresses - places
    assert {name: ours[name] for name in same} == {name: it["environment"][name] for name in same}
    assert not it.get("ports")
    assert it["networks"] == ["durable"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_hardened_and_watched(service: str) -> None:
    it = SERVICES[service]
    assert it["read_only"]
    assert it["cap_drop"] == ["ALL"]
    assert it["security_opt"] == ["no-new-privileges:true"]
    ours = "yocaso" in it["image"]
    assert ours or service in ONE_SHOT or it["healthcheck"]["test"]
    assert it.get("healthcheck", {}).get("disable", False) == (service in ONE_SHOT)


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_published_beyond_loopback(service: str) -> None:
    assert all(outside.startswith("127.0.0.1:") for outside in published(service).values())


def test_the_ingress_the_admin_port_and_the_handlers_are_on_a_network_without_a_way_out() -> None:
    assert COMPOSE["networks"]["durable"] == {"internal": True}
    assert not published("handlers")
    assert set(published("restate")) == {9070}
    assert set(SERVICES["krakend"]["networks"]) == {"front"}
    assert SERVICES["local-cloud"]["networks"] == ["vendors"]
    on_front = {name for name, it in SERVICES.items() if "front" in it["networks"]}
    assert on_front == {"krakend", "edge"}
