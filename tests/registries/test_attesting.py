"""SBOM and signature beside an image: in a registry that lists referrers, in Debian's that does not, and as others verify them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor.adapters.registries.attesting import COMPONENTS, NOTE, SBOM, SIGNATURE, RegistryAttester
from conductor.adapters.registries.distribution import Distribution
from conductor.adapters.registries.exchange import Exchange
from conductor.adapters.registries.harbor import HarborRegistry
from conductor.adapters.registries.referrers import Referrers
from conductor.adapters.registries.registry_config import RegistryConfig
from conductor.adapters.registries.signing import Signer, payload_of, read_signer
from conductor.adapters.registries.tokens import Tokens
from conductor.domain.attestation import AttestationState
from conductor.errors import RefusedError, UnreachableError, UsageError
from conductor.ports.registry import Credentials
from tests.registries.conftest import harbor_config, plain_config
from tests.registries.debian import PASSWORD, USER, debian_registry, with_password
from tests.registries.fake_distribution import FakeDistribution
from tests.registries.fake_harbor import FakeHarbor
from tests.registries.serving import serving

PATH = "conductor/acme_shop/backend"
DOCUMENT = json.dumps({"bomFormat": "CycloneDX", "components": [{"name": "zlib"}, {"name": "node"}]}).encode()


class Tool:
    """A generator that says what it is told to, and notes what it was asked."""

    def __init__(self, document: bytes = DOCUMENT) -> None:
        self.document = document
        self.asked: list[tuple[str, Credentials | None]] = []

    async def sbom(self, image: str, *, credentials: Credentials | None) -> bytes:
        self.asked.append((image, credentials))
        return self.document


class Place:
    """A registry with an image in it, and ways to ask it."""

    def __init__(
        self, url: str, login: Credentials | None = None, *, config: RegistryConfig | None = None
    ) -> None:
        self.config = config or plain_config(url, push=login)
        login = self.config.push
        self.exchange = Exchange()
        self.distribution = Distribution(self.exchange, api=url, tokens=Tokens(self.exchange, login))
        self.digest = ""
        self.attesters: list[RegistryAttester] = []

    async def put(self) -> None:
        self.digest = await self.distribution.push(PATH, "key", layer=b"layer", config={"os": "linux"})

    @property
    def image(self) -> str:
        return f"{self.config.reference(PATH, 'key')}@{self.digest}"

    @property
    def pinned(self) -> str:
        return f"{self.config.reference(PATH)}@{self.digest}"

    def attester(self, generator: Tool | None, signer: Signer | None) -> RegistryAttester:
        self.attesters.append(RegistryAttester(self.config, generator=generator, signer=signer))
        return self.attesters[-1]

    async def attached(self, kind: str) -> list[str]:
        found = await Referrers(self.distribution).of(PATH, self.digest, kind)
        return [str(one["digest"]) for one in found]

    async def manifest(self, reference: str) -> Any:
        return await self.distribution.manifest(PATH, reference)

    async def aclose(self) -> None:
        for attester in self.attesters:
            await attester.aclose()
        await self.exchange.aclose()


@pytest.fixture(params=["lists referrers", "knows no referrers", "Harbor's", "Debian's, with a password"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param.startswith("Debian"):
        async with debian_registry(tmp_path, auth=with_password(tmp_path)) as url:
            server = url.partition("://")[2]
            made = Place(url, Credentials(server=server, username=USER, password=PASSWORD))
            await made.put()
            yield made
            await made.aclose()
        return
    if request.param == "Harbor's":
        harbor = FakeHarbor()
        async with serving(harbor.app()) as url:
            made = Place(url, config=harbor_config(url))
            registry = HarborRegistry(made.config)
            await registry.grant_push("acme/shop", build="first", life=timedelta(hours=1))
            await registry.aclose()
            await made.put()
            yield made
            await made.aclose()
        return
    store = FakeDistribution(lists_referrers=request.param == "lists referrers")
    async with serving(store.app()) as url:
        made = Place(url)
        await made.put()
        yield made
        await made.aclose()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "sign.pem")


def make_key(file: Path, *options: str) -> Path:
    _openssl(
        "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(file), *options
    )
    return file


def _openssl(*arguments: str, content: bytes | None = None) -> bytes:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine: apt-get install openssl")
    done = subprocess.run(
        ["openssl", *arguments], input=content, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_an_sbom_is_attached_to_its_image_and_found_again(place: Place):
    tool = Tool()
    made = await place.attester(tool, None).attest(place.image)
    again = await place.attester(tool, None).attest(place.image)

    assert made == again
    assert (made.state, made.components, made.signature) == (AttestationState.DONE, 2, "")
    assert tool.asked == [(place.pinned, place.config.push)]
    assert await place.attached(SBOM) == [made.sbom]
    manifest = await place.manifest(made.sbom)
    assert manifest["subject"]["digest"] == place.digest
    assert manifest["annotations"] == {COMPONENTS: "2"}
    assert await place.distribution.blob(PATH, manifest["layers"][0]["digest"]) == DOCUMENT


async def test_a_signature_is_one_that_openssl_verifies_and_stands_once(
    place: Place, key: Path, tmp_path: Path
):
    signer = read_signer(key)
    made = await place.attester(None, signer).attest(place.image)
    again = await place.attester(None, signer).attest(place.image)

    assert made == again
    assert await place.attached(SIGNATURE) == [made.signature]
    tag = f"{place.digest.replace(':', '-')}.sig"
    (layer,) = (await place.manifest(tag))["layers"]
    payload = await place.distribution.blob(PATH, layer["digest"])
    assert payload == payload_of(place.pinned.partition("@")[0], place.digest)
    public, signature = tmp_path / "public.pem", tmp_path / "signature"
    public.write_bytes(_openssl("pkey", "-in", str(key), "-pubout"))
    signature.write_bytes(base64.b64decode(layer["annotations"][NOTE]))
    verify = ("dgst", "-sha256", "-verify", str(public), "-signature", str(signature))
    assert _openssl(*verify, content=payload) == b"Verified OK\n"


async def test_a_signature_of_somebody_else_stays_and_is_not_taken_for_ours(
    place: Place, key: Path, tmp_path: Path
):
    other = read_signer(make_key(tmp_path / "other.pem"))
    await place.attester(None, other).attest(place.image)
    await place.attester(None, read_signer(key)).attest(place.image)
    layers = (await place.manifest(f"{place.digest.replace(':', '-')}.sig"))["layers"]
    payload = payload_of(place.pinned.partition("@")[0], place.digest)
    signed = [
        signer.has_signed(payload, layer["annotations"][NOTE])
        for signer, layer in zip([other, read_signer(key)], layers, strict=True)
    ]
    assert signed == [True, True]


async def test_with_a_key_an_sbom_that_somebody_else_attached_is_not_believed(place: Place, key: Path):
    forged = Tool(json.dumps({"bomFormat": "CycloneDX"}).encode())
    theirs = await place.attester(forged, None).attest(place.image)
    tool, signer = Tool(), read_signer(key)
    ours = await place.attester(tool, signer).attest(place.image)
    again = await place.attester(tool, signer).attest(place.image)

    assert ours == again
    assert len(tool.asked) == 1
    assert sorted(await place.attached(SBOM)) == sorted([theirs.sbom, ours.sbom])
    assert (await place.manifest(f"{ours.sbom.replace(':', '-')}.sig"))["subject"]["digest"] == ours.sbom


@pytest.mark.parametrize("document", [b"", DOCUMENT[:-5], b"[]", b'{"spdxVersion": "SPDX-2.3"}'])
async def test_what_is_no_whole_document_is_not_attached(place: Place, document: bytes):
    with pytest.raises(UnreachableError, match="no whole CycloneDX document"):
        await place.attester(Tool(document), None).attest(place.image)
    assert await place.attached(SBOM) == []


async def test_an_image_of_another_registry_is_left_alone(place: Place):
    with pytest.raises(RefusedError, match="another registry"):
        await place.attester(Tool(), None).attest(f"elsewhere.example.org/x@{place.digest}")


async def test_skopeo_takes_what_is_signed_and_refuses_what_is_not(key: Path, tmp_path: Path):
    """A policy of containers/image with `sigstoreSigned`: an implementation of cosign's format that is not ours."""
    if shutil.which("skopeo") is None:
        pytest.skip("no skopeo on this machine: apt-get install skopeo")
    async with debian_registry(tmp_path) as url:
        place = Place(url)
        public, other = tmp_path / "public.pem", tmp_path / "other.pub"
        public.write_bytes(_openssl("pkey", "-in", str(key), "-pubout"))
        other.write_bytes(_openssl("pkey", "-in", str(make_key(tmp_path / "other.pem")), "-pubout"))
        try:
            await place.put()
            assert "signature was required" in _copied(place, public, tmp_path)
            await place.attester(None, read_signer(key)).attest(place.image)
            assert _copied(place, public, tmp_path) == ""
            assert "cryptographic signature verification failed" in _copied(place, other, tmp_path)
        finally:
            await place.aclose()


def _copied(place: Place, public: Path, folder: Path) -> str:
    """Copy the image under a policy; return what skopeo says against it."""
    policy, registries = folder / "policy.json", folder / "registries.d"
    rule = {"type": "sigstoreSigned", "keyPath": str(public), "signedIdentity": {"type": "matchRepository"}}
    policy.write_text(json.dumps({"default": [{"type": "reject"}], "transports": {"docker": {"": [rule]}}}))
    registries.mkdir(exist_ok=True)
    (registries / "here.yaml").write_text("default-docker: {use-sigstore-attachments: true}\n")
    to = f"dir:{folder / 'copied'}"
    command = ["skopeo", "--policy", str(policy), "--registries.d", str(registries)]
    done = subprocess.run(
        [*command, "copy", "-q", "--src-tls-verify=false", f"docker://{place.pinned}", to],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "sigstore disabled" in done.stderr:
        pytest.skip("this skopeo was built without sigstore, as Debian's was in 2022")
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    return done.stderr


def test_a_key_with_a_password_is_read_with_it_and_not_without(tmp_path: Path):
    file = make_key(tmp_path / "sign.pem", "-aes-256-cbc", "-pass", "pass:opensesame")
    assert read_signer(file, "opensesame").sign(b"x")
    for password in (None, "another"):
        with pytest.raises(UsageError, match="CONDUCTOR_SIGN_KEY_PASSWORD") as caught:
            read_signer(file, password)
        assert "opensesame" not in str(caught.value)


def test_what_is_no_key_for_this_is_told(tmp_path: Path):
    rsa = tmp_path / "rsa.pem"
    _openssl("genpkey", "-algorithm", "RSA", "-out", str(rsa))
    with pytest.raises(UsageError, match="P-256"):
        read_signer(rsa)
    cosign = tmp_path / "cosign.key"
    cosign.write_text(
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\ne30=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
    )
    with pytest.raises(UsageError) as caught:
        read_signer(cosign)
    assert "cosign has encrypted" in caught.value.remedy
    with pytest.raises(UsageError, match="cannot be read"):
        read_signer(tmp_path / "nothing.pem")
