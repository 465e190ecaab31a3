"""How much an agency may publish a second, as the broker itself enforces it.

The Python client that all else uses has no call for it; aiokafka's protocol classes do, half of them.
Source of the two requests: Kafka's protocol guide, DescribeClientQuotas and AlterClientQuotas.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeClientQuotasRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from crosstown.backbone import kafka
from crosstown.backbone.login import hush, spoken
from crosstown.errors import Stop
from crosstown.home import Endpoints
from crosstown.settings import Settings

RATE: Final = "producer_byte_rate"
ANY_NAMED: Final = 2
_TEXT: Final = String("utf-8")
_ENTITY: Final = Array(("entity_type", _TEXT), ("entity_name", _TEXT))


class _Answer(Response):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", _TEXT), ("entity", _ENTITY))),
    )


class _Struct(RequestStruct):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("entries", Array(
            ("entity", _ENTITY),
            ("ops", Array(("key", _TEXT), ("value", Float64), ("remove", Boolean))),
        )),
        ("validate_only", Boolean),
    )  # fmt: skip


class _Alter(Request[_Struct]):  # type: ignore[misc]
    API_KEY = 49

    def __init__(self, user: str, rate: float | None) -> None:
        self._entry = ([("user", user)], [(RATE, rate or 0.0, rate is None)])

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class([self._entry], False)


def described(settings: Settings, endpoints: Endpoints) -> tuple[dict[str, float], str]:
    """Bytes a second by user, and why they can't be told; empty: they can."""
    try:
        said = asyncio.run(_ask(settings, endpoints, DescribeClientQuotasRequest(
            [("user", ANY_NAMED, None)], strict=True)))  # fmt: skip
    except (KafkaError, OSError) as error:
        return {}, f"quotas are left alone: {error}"
    if said.error_code:
        return {}, f"quotas are left alone: {said.error_message or said.error_code}"
    found = {}
    for entity, values in said.entries or ():
        rate = dict(values).get(RATE)
        if rate is not None:
            found[entity[0][1]] = float(rate)
    return found, ""


def limit(settings: Settings, endpoints: Endpoints, user: str, rate: float | None) -> None:
    """Set how many bytes a second a user may publish; None: no limit. Raises `Stop`."""
    try:
        said = asyncio.run(_ask(settings, endpoints, _Alter(user, rate)))
    except (KafkaError, OSError) as error:
        raise Stop(f"the quota of {user} can't be set: {error}") from None
    for code, words, _ in said.entries:
        if code:
            raise Stop(f"the quota of {user} can't be set: {words or code}")


async def _ask(settings: Settings, endpoints: Endpoints, request: Request) -> Any:
    hush()
    said = spoken(kafka.client(settings, endpoints))
    admin = AIOKafkaAdminClient(
        bootstrap_servers=endpoints.bootstrap.split(","), request_timeout_ms=10_000,
        security_protocol=said.protocol, ssl_context=said.tls if "SSL" in said.protocol else None,
        sasl_mechanism=said.mechanism, sasl_plain_username=said.username or None,
        sasl_plain_password=said.password or None,
    )  # fmt: skip
    await admin.start()
    try:
        return await admin._send_to_controller(request)  # noqa: SLF001 - the client has no call for it
    finally:
        await admin.close()
