"""The sample city: what seven agencies' systems export about Riverton, made from a seed."""

from crosstown.sample.riverton import EVENTS, SEED, generate, showcase, write

__all__ = ["EVENTS", "SEED", "generate", "showcase", "write"]
