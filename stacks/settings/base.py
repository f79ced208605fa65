"""What the settings of both programs are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from catalog import blueprints
from catalog.forms import form
from catalog.plans import Image
from components.tags import Ownership

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LogRetention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
Email = Annotated[
    str, form(r"[^@\s]+@[^@\s]+\.[^@\s]+", "e-mail address such as alerts@example.com"), Field(max_length=254)
]
Region = Annotated[str, form(r"[a-z]+(-[a-z]+)+-?[0-9]", "region such as us-east-1")]
"""`us-east-1` (AWS) or `europe-west1` (GCP)."""


def _cost_centre(text: str) -> str:
    Ownership("product", "environment", text)
    return text


CostCentre = Annotated[str, AfterValidator(_cost_centre)]
"""Who pays, as tags hold it: `production`, `4711`."""


def _blueprint(name: str) -> str:
    try:
        blueprints.load(name)
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    return name


BlueprintName = Annotated[str, AfterValidator(_blueprint)]


def _pinned(image: str) -> str:
    if image.endswith(":latest"):
        raise ValueError(f"{image} changes under its name; pin a version or a digest")
    return image


PinnedImage = Annotated[Image, AfterValidator(_pinned)]
"""An image that no other may come under the name of."""


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"{twice[0]} is named twice")
    return values


Distinct = AfterValidator(_distinct)
"""None of them is named twice: resources are named by such values, and two of one name stop the engine."""


def _on(value: object) -> object:
    if value is False:
        raise ValueError("what is not wanted is left out: take the whole key away")
    return value


Enabled = Annotated[Literal[True], BeforeValidator(_on)]
"""Stands where a key would otherwise be empty, which is how Pulumi.yaml says that it is not set."""


class Settings(BaseModel):
    """Frozen; keys in camel case; unknown keys and values of another type are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, serialize_by_alias=True
    )
