"""The topics of a contract repository as an AsyncAPI 3.0 document, for generators and other tools.

Seen from a program beside Crosstown: it sends what its agency publishes. Servers are placeholders:
an installation's are its own. Source: the AsyncAPI 3.0 specification, its Kafka bindings 0.5.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from crosstown.catalogue.access import Access, access
from crosstown.catalogue.contents import Contents, Listed
from crosstown.catalogue.topics import RECORD_KEY, OwnTopic, binding, config_of, own_topics
from crosstown.contracts.contract import ANY
from crosstown.event.envelope import VIAS
from crosstown.provisioning.wanted import events

AVRO: Final = "application/vnd.apache.avro;version=1.9.0"
_BINDING: Final = "0.5.0"
_AVRO_WORDS: Final = frozenset((
    "type", "name", "namespace", "doc", "aliases", "fields", "default", "symbols", "items", "values",
    "size", "logicalType", "precision", "scale", "order",
))  # fmt: skip
"""What is Avro's in a schema. Anything else could be a `$ref`, which parsers would go and read."""


def document(contents: Contents) -> dict[str, Any]:
    """The document, as plain JSON."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for one in contents.contracts.values():
        name = channel_name(one)
        channels[name] = _events(one, contents)
        messages[name] = _event(one)
        may = access(one.newest)
        operations[f"send.{name}"] = _operation("send", name, may)
        operations[f"receive.{name}"] = _operation("receive", name, may)
    for topic in own_topics():
        channels[topic.name] = _own(topic)
        messages[topic.name] = _own_message(topic)
        operations[f"receive.{topic.name}"] = _operation("receive", topic.name, access(topic.name))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Crosstown",
            "version": "1.0.0",
            "description": "What agencies publish, each under its contract, and what Crosstown makes of it. "
            "Seen from a program beside Crosstown: `send` is what an agency's program may publish, "
            "`receive` what those may read whom the operation names.",
        },
        "defaultContentType": "application/octet-stream",
        "servers": {"kafka": _server()},
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "securitySchemes": {
                "scram": {
                    "type": "scramSha512",
                    "description": "A user an agency; the password is shown once, when it is made.",
                }
            },
        },
    }


def text(contents: Contents) -> str:
    """The document as JSON, the same bytes for the same contents."""
    return json.dumps(document(contents), ensure_ascii=True, indent=1) + "\n"


def channel_name(one: Listed) -> str:
    """A contract's channel: its topic, without the agency where each has its own."""
    return f"events.{one.newest.owner}.{one.newest.name}"


def _server() -> dict[str, Any]:
    return {
        "host": "{host}:{port}",
        "protocol": "kafka-secure",
        "description": "Each installation has its own; ask who runs it.",
        "variables": {"host": {"default": "kafka.example.org"}, "port": {"default": "9093"}},
        "security": [{"$ref": "#/components/securitySchemes/scram"}],
        "bindings": {
            "kafka": {"schemaRegistryUrl": "https://registry.example.org",
                      "schemaRegistryVendor": "confluent", "bindingVersion": _BINDING},
        },
    }  # fmt: skip


def _events(one: Listed, contents: Contents) -> dict[str, Any]:
    contract, name = one.newest, channel_name(one)
    everyones = contract.owner == ANY
    parameters = {
        "parameters": {
            "agency": {"description": "The agency that publishes.", "enum": sorted(contents.agencies.ids)},
        },
    }  # fmt: skip
    topic = {} if everyones else {"topic": name}
    return {
        "address": f"events.{{agency}}.{contract.name}" if everyones else name,
        "title": contract.file.name or contract.id,
        "description": contract.file.description.purpose,
        "messages": {"event": {"$ref": f"#/components/messages/{name}"}},
        **(parameters if everyones else {}),
        "bindings": _channel_binding(topic, events(name, contract).config),
    }


def _event(one: Listed) -> dict[str, Any]:
    contract = one.newest
    return {
        "name": contract.schema["name"],
        "title": contract.file.name or contract.id,
        "contentType": "application/octet-stream",
        "payload": {"schemaFormat": AVRO, "schema": avro(contract.schema)},
        "headers": {
            "type": "object",
            "properties": {
                "known_at": {"type": "string",
                             "description": "When the source said so: ISO 8601 with zone, or microseconds UTC."},
                "via": {"type": "string", "enum": list(VIAS), "description": "How it reached us."},
            },
        },
        "bindings": _message_binding(RECORD_KEY),
    }  # fmt: skip


def _own(topic: OwnTopic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "title": topic.title,
        "description": topic.schema["doc"],
        "messages": {"message": {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": _channel_binding({"topic": topic.name}, config_of(topic.name)),
    }


def _own_message(topic: OwnTopic) -> dict[str, Any]:
    return {
        "name": topic.schema["name"],
        "title": topic.title,
        "contentType": "application/octet-stream",
        "payload": {"schemaFormat": AVRO, "schema": avro(topic.schema)},
        "bindings": _message_binding(topic.key),
    }


def _channel_binding(topic: dict[str, str], config: Any) -> dict[str, Any]:
    return {
        "kafka": {**topic, "topicConfiguration": binding(config), "bindingVersion": _BINDING},
    }


def _message_binding(key: str) -> dict[str, Any]:
    return {
        "kafka": {
            "key": {"type": "string", "description": key},
            "schemaIdLocation": "payload", "schemaIdPayloadEncoding": "confluent",
            "schemaLookupStrategy": "TopicIdStrategy", "bindingVersion": _BINDING,
        }
    }  # fmt: skip


def _operation(action: str, channel: str, may: Access) -> dict[str, Any]:
    who = f"Written by {may.write}." if action == "send" else f"Read by {may.read}."
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "description": who,
        "messages": [
            {"$ref": f"#/channels/{channel}/messages/{'event' if channel.startswith('events.') else 'message'}"}
        ],
    }  # fmt: skip


def avro(schema: Any) -> Any:
    """An Avro schema with nothing in it that isn't Avro's."""
    match schema:
        case dict():
            return dict(_parts(schema))
        case list():
            return [avro(one) for one in schema]
        case _:
            return schema


def _parts(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in schema.items():
        if key == "default":
            yield key, _without_references(value)
        elif key in _AVRO_WORDS:
            yield key, avro(value)


def _without_references(value: Any) -> Any:
    match value:
        case dict():
            return {k: _without_references(v) for k, v in value.items() if k != "$ref"}
        case list():
            return [_without_references(one) for one in value]
        case _:
            return value
