"""EKS tokens: whom they prove, and everything for which they must prove nobody."""

from __future__ import annotations

import base64
import datetime
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.processes.login.__main__ import Login
from sandbox.processes.login.access import ACCESS_ENTRY, POLICY_ASSOCIATION, AccessEntries, canonical_arn
from sandbox.processes.login.tokens import PREFIX, TokenRefused, TokenVerifier
from sandbox.providers.recorded import RecordedStore
from tests.sandbox.aws_process import AwsProcess

OPERATOR = "arn:aws:iam::123456789012:user/freehold-operator"


def now(minutes: float = 0) -> datetime.datetime:
    """That many minutes from now."""
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)


@pytest.fixture
def verifier(aws: AwsProcess) -> TokenVerifier:
    return TokenVerifier(aws.endpoint)


def token(aws: AwsProcess, cluster: str | None = "first", *, endpoint: str = "", **credentials: str) -> str:
    """As `aws eks get-token` makes it."""
    key = aws.key()
    client: Any = boto3.client(
        "sts",
        endpoint_url=endpoint or aws.endpoint,
        region_name="us-east-1",
        **{"aws_access_key_id": key["access_key_id"], "aws_secret_access_key": key["secret_access_key"], **credentials},
    )
    if cluster is not None:
        client.meta.events.register(
            "before-sign.sts.GetCallerIdentity",
            lambda request, **_: request.headers.__setitem__("x-k8s-aws-id", cluster),
        )
    return encoded(client.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET"))


def encoded(url: str) -> str:
    return PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def decoded(token: str) -> str:
    text = token.removeprefix(PREFIX)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def test_a_token_is_its_signers(aws: AwsProcess, verifier: TokenVerifier) -> None:
    caller, expires = verifier.verify(token(aws), "first", now())
    assert caller.arn == OPERATOR
    assert caller.account == "123456789012"
    assert caller.access_key_id == aws.key()["access_key_id"]
    left = expires - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(minutes=14) < left <= datetime.timedelta(minutes=15)


def test_a_token_for_one_cluster_does_not_open_another(aws: AwsProcess, verifier: TokenVerifier) -> None:
    with pytest.raises(TokenRefused, match="SignatureDoesNotMatch"):
        verifier.verify(token(aws, "first"), "second", now())
    with pytest.raises(TokenRefused, match="does not sign x-k8s-aws-id"):
        verifier.verify(token(aws, None), "first", now())


def test_a_token_whose_signer_does_not_have_the_secret_is_refused(aws: AwsProcess, verifier: TokenVerifier) -> None:
    with pytest.raises(TokenRefused, match="SignatureDoesNotMatch"):
        verifier.verify(token(aws, aws_secret_access_key="w" * 40), "first", now())
    with pytest.raises(TokenRefused, match="InvalidClientTokenId"):
        verifier.verify(token(aws, aws_access_key_id="AKIA0000000000000000"), "first", now())


def test_a_token_is_good_for_fifteen_minutes(aws: AwsProcess, verifier: TokenVerifier) -> None:
    made = token(aws)
    verifier.verify(made, "first", now(14))
    with pytest.raises(TokenRefused, match="expired"):
        verifier.verify(made, "first", now(16))
    with pytest.raises(TokenRefused, match="expired"):
        verifier.verify(made, "first", now(-10))


@pytest.fixture
def stranger() -> Iterator[tuple[int, list[bool]]]:
    """A server that notes whether anyone connects."""
    met: list[bool] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(1.5)

        def accept() -> None:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                return
            met.append(True)
            connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1], met
        thread.join()


def test_a_token_for_another_host_is_never_followed(
    aws: AwsProcess, verifier: TokenVerifier, stranger: tuple[int, list[bool]]
) -> None:
    port, met = stranger
    query = decoded(token(aws)).partition("?")[2]
    for place in (
        f"http://127.0.0.1:{port}/",
        f"http://localhost:{port}/",
        f"http://127.0.0.1:{port}@127.0.0.1:{aws.port}/",
        f"http://127.0.0.1:{aws.port}@127.0.0.1:{port}/",
        f"https://127.0.0.1:{aws.port}/",
        "file:///etc/passwd",
        f"http://127.0.0.1:{aws.port}.example.com/",
        "http://169.254.169.254/latest/meta-data/",
        f"http://[::1]:{aws.port}/",
        f"http://127.0.0.1:{aws.port}/latest/meta-data/",
        "http://127.0.0.1:99999/",
    ):
        with pytest.raises(TokenRefused, match=r"another STS|malformed"):
            verifier.verify(encoded(f"{place}?{query}"), "first", now())
    with pytest.raises(TokenRefused, match="another STS"):
        verifier.verify(token(aws, endpoint=f"http://127.0.0.1:{port}"), "first", now())
    # Long enough for the stranger to have met someone.
    threading.Event().wait(1.6)
    assert met == []


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("GetCallerIdentity", "GetSessionToken"),
        lambda url: url + "&Action=CreateUser",
        lambda url: url + "&UserName=eve",
        lambda url: url.replace("X-Amz-Date=", "X-Amz-Dat="),
        lambda url: url.replace("X-Amz-Date=2", "X-Amz-Date=x"),
    ],
)
def test_a_token_that_asks_for_anything_else_is_refused(aws: AwsProcess, verifier: TokenVerifier, change: Any) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(encoded(change(decoded(token(aws)))), "first", now())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k8s-aws-v1.",
        "k8s-aws-v1.%%%",
        "eyJhbGciOi.J9.x",
        "k8s-aws-v1." + "A" * 5000,
        "k8s-aws-v1.w6Q",
        "k8s-aws-v2.aHR0cA",
    ],
)
def test_what_is_no_token_is_refused(verifier: TokenVerifier, text: str) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(text, "first", now())


@pytest.fixture
def store(tmp_path: Path) -> RecordedStore:
    return RecordedStore(tmp_path / "recorded.sqlite")


def enter(store: RecordedStore, principal: str, *, cluster: str = "first", **properties: Any) -> None:
    inputs = {"clusterName": cluster, "principalArn": principal, **properties}
    store.put(ACCESS_ENTRY, f"{cluster}:{principal}", "urn", inputs, {})


def associate(store: RecordedStore, principal: str, policy: str, **scope: Any) -> None:
    inputs = {
        "clusterName": "first",
        "principalArn": principal,
        "accessScope": scope or {"type": "cluster"},
        "policyArn": f"arn:aws:eks::aws:cluster-access-policy/{policy}",
    }
    store.put(POLICY_ASSOCIATION, f"first#{principal}#{policy}", "urn", inputs, {})


def test_access_is_what_the_entries_say_now(aws: AwsProcess, verifier: TokenVerifier, store: RecordedStore) -> None:
    login = Login(verifier, AccessEntries(store))
    made = token(aws)
    refused = login.review(made, "first")
    assert refused == {"authenticated": False, "error": f"{OPERATOR} has no access entry in cluster first"}
    enter(store, OPERATOR, cluster="second", kubernetesGroups=["elsewhere"])
    assert not login.review(made, "first")["authenticated"]

    enter(store, OPERATOR, kubernetesGroups=["viewers"])
    user = login.review(made, "first")["user"]
    assert (user["username"], user["groups"]) == (OPERATOR, ["viewers"])
    associate(store, OPERATOR, "AmazonEKSClusterAdminPolicy")
    associate(store, OPERATOR, "AmazonEKSViewPolicy")
    assert set(login.review(made, "first")["user"]["groups"]) == {
        "viewers",
        "system:masters",
        "eks-access-policy:AmazonEKSViewPolicy",
    }

    # Removed while the token is still good and its verification still remembered.
    store.delete(ACCESS_ENTRY, f"first:{OPERATOR}")
    assert not login.review(made, "first")["authenticated"]


def test_a_policy_for_some_namespaces_gives_nothing_in_all(
    aws: AwsProcess, verifier: TokenVerifier, store: RecordedStore
) -> None:
    enter(store, OPERATOR)
    associate(store, OPERATOR, "AmazonEKSClusterAdminPolicy", type="namespace", namespaces=["default"])
    assert Login(verifier, AccessEntries(store)).review(token(aws), "first")["user"]["groups"] == []


def test_a_session_of_a_role_is_the_roles_entry(aws: AwsProcess, verifier: TokenVerifier, store: RecordedStore) -> None:
    role = "arn:aws:iam::123456789012:role/teams/deployer"
    made = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="alice@example.com")["Credentials"]
    session = token(
        aws,
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
        aws_session_token=made["SessionToken"],
    )
    login = Login(verifier, AccessEntries(store))
    assert not login.review(session, "first")["authenticated"]
    enter(store, role)
    assert login.review(session, "first")["user"]["username"] == (
        "arn:aws:sts::123456789012:assumed-role/deployer/alice-example.com"
    )
    enter(store, role, userName="deployer:{{SessionNameRaw}}")
    assert login.review(session, "first")["user"]["username"] == "deployer:alice@example.com"
    # The same name in another account is somebody else.
    store.delete(ACCESS_ENTRY, f"first:{role}")
    enter(store, role.replace("123456789012", "999999999999"))
    assert not login.review(session, "first")["authenticated"]


def test_canonical_arns() -> None:
    assert canonical_arn(OPERATOR) == (OPERATOR, None)
    assert canonical_arn("arn:aws:sts::123456789012:assumed-role/deployer/alice") == (
        "arn:aws:iam::123456789012:role/deployer",
        "alice",
    )
