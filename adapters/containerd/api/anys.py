"""`Any` as containerd writes it: the type's URL is the message's bare full name.

Source: containerd/typeurl. Protobuf's own Any.Pack puts "type.googleapis.com/" before the name,
which containerd does not find among its registered types.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

M = TypeVar("M", bound=Message)


def pack(message: Message) -> Any:
    """Wrap a message; equal messages give equal bytes."""
    value = message.SerializeToString(deterministic=True)
    return Any(type_url=message.DESCRIPTOR.full_name, value=value)


def name(wrapped: Any) -> str:
    """Return the full name of the message inside, without what precedes it in the URL, or ""."""
    return wrapped.type_url.rpartition("/")[2]


def holds(wrapped: Any, message_type: type[M]) -> bool:
    """Return whether the wrapped message is of that type."""
    return name(wrapped) == message_type.DESCRIPTOR.full_name


def unpack(wrapped: Any, message_type: type[M]) -> M:
    """Return the message inside, of the type that the URL names.

    Raises ValueError if the URL names another type, or the bytes are no message of this one.
    """
    wanted = message_type.DESCRIPTOR.full_name
    if not holds(wrapped, message_type):
        raise ValueError(f"{wanted} wanted, the Any holds {name(wrapped) or 'nothing'}")
    try:
        return message_type.FromString(wrapped.value)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{wanted}: not a valid message: {error}") from error
