"""Sandbox or live, what is missing, and who may decide where a key goes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.settings.endpoint import LiveEndpoint, SandboxEndpoint, is_loopback, normal_url
from tests.settings.place import KEY, Place, write

URL = "https://api.example"


def live(place: Place) -> LiveEndpoint:
    found = place.endpoint()
    assert isinstance(found, LiveEndpoint)
    return found


def test_with_nothing_configured_it_is_the_sandbox(place: Place) -> None:
    assert place.endpoint() == SandboxEndpoint()


@pytest.mark.parametrize("extra", ["HOSTED_AI_POOL_ID", "HARPOON_LEASE__TTL_S", "HARPOON_HTTP__CONNECT_S"])
def test_settings_that_are_no_endpoint_leave_it_the_sandbox(place: Place, extra: str) -> None:
    place.environ[extra] = "7"
    assert place.endpoint() == SandboxEndpoint()


def test_live_with_nothing_configured_is_a_fault(place: Place) -> None:
    place.environ["HARPOON_LIVE"] = "1"
    fault = place.endpoint_fault()
    assert (
        fault.message == "no platform is configured, and the sandbox is ruled out (environment HARPOON_LIVE)"
    )


def test_a_url_and_a_key_are_live(place: Place) -> None:
    place.environ |= {"HOSTED_AI_BASE_URL": URL, "HOSTED_AI_API_KEY": KEY}
    found = live(place)
    assert (found.base_url, found.inference_url, found.auth) == (URL, URL, "bearer")
    assert found.key is not None
    assert found.key.reveal() == KEY
    assert KEY not in repr(found)
    assert (str(found.url_origin), found.key_origin) == (
        "environment HOSTED_AI_BASE_URL",
        "environment HOSTED_AI_API_KEY",
    )
    assert not found.from_directory


@pytest.mark.parametrize("auth", ["bearer", "x-api-key"])
def test_a_url_without_a_key_is_a_fault_that_names_the_url(place: Place, auth: str) -> None:
    place.user(f'[platform]\nbase_url = "{URL}"\nauth = "{auth}"\n')
    fault = place.endpoint_fault()
    assert fault.message == (
        "there is a URL (platform.base_url, ~/.config/harpoon/config.toml line 2), but no key for it"
    )
    assert "HOSTED_AI_API_KEY" in str(fault.hint)


def test_a_url_without_a_key_is_live_where_none_is_wanted(place: Place) -> None:
    place.user(f'[platform]\nbase_url = "{URL}"\nauth = "none"\n')
    assert live(place).key is None


def test_a_key_is_not_even_fetched_where_none_is_wanted(place: Place) -> None:
    place.user(f'[platform]\nbase_url = "{URL}"\nauth = "none"\napi_key_file = "/nowhere"\n')
    assert live(place).key is None


@pytest.mark.parametrize(
    "setting",
    ['api_key_file = "/nowhere"', 'api_key_command = "/nowhere"', 'api_key_keyring = "a/b"'],
)
@pytest.mark.parametrize("auth", ["bearer", "none"])
def test_a_key_without_a_url_is_a_fault_and_nothing_is_fetched(place: Place, setting: str, auth: str) -> None:
    place.user(f'[platform]\n{setting}\nauth = "{auth}"\n')
    assert place.endpoint_fault().message == (
        f"there is a key (platform.{setting.split()[0]}, ~/.config/harpoon/config.toml line 2), "
        "but no URL to send it to"
    )


def test_a_key_in_the_environment_without_a_url_is_a_fault(place: Place) -> None:
    place.environ["HOSTED_AI_API_KEY"] = KEY
    assert "environment HOSTED_AI_API_KEY" in place.endpoint_fault().message


def test_an_inference_url_alone_is_half_a_configuration(place: Place) -> None:
    place.user(f'[platform]\ninference_url = "{URL}"\nauth = "none"\n')
    assert "but not where leases come from" in place.endpoint_fault().message


def test_an_inference_url_alone_is_whole_where_nothing_is_leased(place: Place) -> None:
    place.user(f'[platform]\ninference_url = "{URL}/v1/"\nauth = "none"\ncontrol = "static"\n')
    found = live(place)
    assert (found.base_url, found.inference_url) == (f"{URL}/v1", f"{URL}/v1")


def test_prompts_may_go_to_another_server(place: Place) -> None:
    place.user(f'[platform]\nbase_url = "{URL}"\ninference_url = "https://other.example"\nauth = "none"\n')
    assert live(place).inference_url == "https://other.example"


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://api.hosted.ai", "https://api.hosted.ai"),
        ("HTTPS://API.Hosted.AI/", "https://api.hosted.ai"),
        ("https://panel.example:443/api/", "https://panel.example/api"),
        ("https://panel.example:8055/api/", "https://panel.example:8055/api"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
    ],
)
def test_good_urls_are_normalised(written: str, normal: str) -> None:
    assert normal_url(written, "it", insecure_http=False) == normal


@pytest.mark.parametrize(
    ("written", "trouble"),
    [
        ("http://api.hosted.ai", "plain http"),
        ("http://localhost.evil.example", "plain http"),
        ("http://127.0.0.1.evil.example", "plain http"),
        ("http://0.0.0.0", "plain http"),
        ("http://10.0.0.1", "plain http"),
        ("https://ann:hunter2@api.example", "user name or a password"),
        ("https://hunter2@api.example", "user name or a password"),
        ("https://api.example?key=hunter2", "query or a fragment"),
        ("https://api.example/#hunter2", "query or a fragment"),
        ("https://api.example/?", "query or a fragment"),
        ("https://", "names a host"),
        ("https:///path", "names a host"),
        ("https:api.example", "names a host"),
        ("ftp://api.example", "names a host"),
        ("//api.example", "names a host"),
        ("https://api.example:99999", "is not a URL"),
        ("https://api.example:port", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://api.example/a/../b", "dotted steps"),
        ("https://api.example//b", "dotted steps"),
        ("https://\u0430pi.example", "does not belong"),
        ("https://api.example\\@evil.example", "user name or a password"),
        ("https://api.example\\evil", "does not belong"),
        ("https://api.example/a b", "does not belong"),
    ],
)
def test_bad_urls_are_refused_without_being_quoted(written: str, trouble: str) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        normal_url(written, "it", insecure_http=False)
    assert trouble in caught.value.message
    assert "hunter2" not in caught.value.message


@given(st.text(max_size=60).map(lambda text: f"https://{text}"))
def test_any_url_is_normal_or_refused_and_normalising_again_changes_nothing(written: str) -> None:
    try:
        normal = normal_url(written, "it", insecure_http=False)
    except ConfigurationFault:
        return
    assert normal_url(normal, "it", insecure_http=False) == normal


def test_plain_http_needs_the_setting_and_is_then_named(place: Place) -> None:
    place.environ |= {"HOSTED_AI_BASE_URL": "http://10.0.0.1:8055", "HOSTED_AI_API_KEY": KEY}
    assert "platform.insecure_http = true" in str(place.endpoint_fault().hint)
    place.user("[platform]\ninsecure_http = true\n")
    assert live(place).readable_on_the_way == ("http://10.0.0.1:8055",)


def test_plain_http_on_loopback_is_not_named(place: Place) -> None:
    place.environ |= {"HOSTED_AI_BASE_URL": "http://localhost:8055", "HOSTED_AI_API_KEY": KEY}
    assert live(place).readable_on_the_way == ()


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("localhost", True), ("::1", True), ("127.1.2.3", True), ("128.0.0.1", False), ("127.1", False)],
)
def test_loopback_is_known_by_name_and_number(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it


# --- who may decide where a key goes ---


def put_key(place: Place, where: str) -> None:
    if where == "environment":
        place.environ["HOSTED_AI_API_KEY"] = KEY
    if where == ".env":
        place.dotenv(f"HOSTED_AI_API_KEY={KEY}\n")
    if where == "user file":
        write(place.home / "key", KEY)
        place.user('[platform]\napi_key_file = "~/key"\n')


def put_url(place: Place, where: str) -> None:
    if where == "environment":
        place.environ["HOSTED_AI_BASE_URL"] = URL
    if where == ".env":
        file = place.cwd / ".env"
        place.dotenv((file.read_text() if file.exists() else "") + f"HOSTED_AI_BASE_URL={URL}\n")
    if where == "project file":
        place.project(f'[platform]\nbase_url = "{URL}"\n')
    if where == "user file":
        text = place.user_file.read_text() if place.user_file.exists() else "[platform]\n"
        place.user(f'{text}base_url = "{URL}"\n')


@pytest.mark.parametrize(
    ("key_from", "url_from"),
    list(
        itertools.product(
            ["environment", ".env", "user file"], ["environment", ".env", "project file", "user file"]
        )
    ),
)
def test_a_key_of_the_users_never_goes_where_a_file_of_the_directory_says(
    place: Place, key_from: str, url_from: str
) -> None:
    put_key(place, key_from)
    put_url(place, url_from)
    if key_from != ".env" and url_from in (".env", "project file"):
        fault = place.endpoint_fault()
        assert "does not decide where your key goes" in fault.message
        assert "HARPOON_CONFIG" in str(fault.hint)
    else:
        found = live(place)
        assert found.key is not None
        assert found.from_directory == (url_from in (".env", "project file"))


@pytest.mark.parametrize(
    "text",
    [
        '[platform]\ninference_url = "https://evil.example"',
        '[platform.paths]\nallocate = "/steal"',
        '[http]\nproxy = "http://evil.example:3128"',
        '[http]\nca_bundle = "evil.pem"',
        'profile = "p"\n[profiles.p.platform]\nbase_url = "https://evil.example"',
    ],
)
def test_nothing_on_the_way_of_the_key_is_decided_by_a_clone(place: Place, text: str) -> None:
    place.environ["HOSTED_AI_API_KEY"] = KEY
    place.user(f'[platform]\nbase_url = "{URL}"\n')
    place.project(text + "\n")
    assert "does not decide where your key goes" in place.endpoint_fault().message


@pytest.mark.parametrize(
    "setting",
    ['api_key_command = "touch pwned"', 'api_key_file = "~/.ssh/id_rsa"', 'api_key_keyring = "a/b"'],
)
@pytest.mark.parametrize("table", ["platform", "profiles.p.platform"])
def test_a_project_file_cannot_say_where_a_key_is(place: Place, setting: str, table: str) -> None:
    place.project(f"[{table}]\n{setting}\n")
    assert "is not taken from a project file" in place.fault().message


@pytest.mark.parametrize("name", ["API_KEY_COMMAND", "API_KEY_FILE", "API_KEY_KEYRING"])
def test_a_dotenv_cannot_say_where_a_key_is(place: Place, name: str) -> None:
    place.dotenv(f"HARPOON_PLATFORM__{name}=a/b\n")
    assert "is not taken from a .env" in place.fault().message


def test_a_dotenv_cannot_make_a_file_trusted(place: Place) -> None:
    place.dotenv("HARPOON_CONFIG=harpoon.toml\n")
    assert "read from the real environment only" in place.fault().message


def test_a_project_file_that_is_named_by_the_user_is_trusted(place: Place) -> None:
    place.environ["HOSTED_AI_API_KEY"] = KEY
    put_url(place, "project file")
    place.environ["HARPOON_CONFIG"] = "harpoon.toml"
    assert live(place).base_url == URL


def test_a_url_that_the_user_gives_himself_overrides_the_clones(place: Place) -> None:
    put_key(place, "environment")
    place.project('[platform]\nbase_url = "https://evil.example"\n')
    place.environ["HOSTED_AI_BASE_URL"] = URL
    assert live(place).base_url == URL


def test_a_project_may_choose_pool_and_profile_for_the_users_key(place: Place) -> None:
    put_key(place, "environment")
    place.user(f'[profiles.company.platform]\nbase_url = "{URL}"\n')
    place.project('profile = "company"\n[platform]\npool_id = "p"\n')
    assert live(place).base_url == URL


@pytest.mark.parametrize("base_url_too", [False, True])
def test_an_inference_url_of_the_directory_is_named_where_no_key_is_sent(
    place: Place, base_url_too: bool
) -> None:
    place.user('[platform]\nauth = "none"\ncontrol = "static"\n')
    if base_url_too:
        place.environ["HOSTED_AI_BASE_URL"] = URL
    place.project('[platform]\ninference_url = "https://elsewhere.example"\n')
    found = live(place)
    assert found.from_directory
    assert "harpoon.toml" in str(found.url_origin)
