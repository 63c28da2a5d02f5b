"""The store: finished work by its content address."""

from mendel.engine.store.answers import AnswerCache
from mendel.engine.store.store import Store, default_store, disk_error, write_atomic

__all__ = ["AnswerCache", "Store", "default_store", "disk_error", "write_atomic"]
