"""OpenAI-compatible endpoints: requests within a budget, at the endpoint's pace, and never bought twice.

Importing this package loads nothing heavy.
"""

from mendel.models.endpoints.batch import BatchRead, read_batch
from mendel.models.endpoints.chat import EndpointChat, EndpointCompletion
from mendel.models.endpoints.connection import BoughtCompletion
from mendel.models.endpoints.endpoints import Endpoints
from mendel.models.endpoints.prices import Price, price_of, price_table
from mendel.models.endpoints.requests import KIND
from mendel.models.endpoints.spec import EndpointSpec, parse_endpoint

__all__ = [
    "KIND",
    "BatchRead",
    "BoughtCompletion",
    "EndpointChat",
    "EndpointCompletion",
    "EndpointSpec",
    "Endpoints",
    "Price",
    "parse_endpoint",
    "price_of",
    "price_table",
    "read_batch",
]
