"""What an entry of the AWS tables says; `engine` executes it.

Templates: a string `"{name}"` stands for the value itself (a list stays a list), a longer string such as
`"arn:{partition}:sns:{region}:{account}:{name}"` is filled in. Names are `id`, `region`, `account`, `partition`,
the resource's properties, and the parts of its id (`id_form`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.providers.typed import Kind, ResourceType

if TYPE_CHECKING:
    from sandbox.providers.aws.context import Context


def same(*names: str) -> dict[str, str]:
    """Properties whose request parameter has the same name but for the case of its first letter."""
    return {name: name[0].upper() + name[1:] for name in names}


@dataclass(frozen=True)
class Call:
    """One API operation: which properties it takes, as which parameters, and what it is always sent."""

    operation: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """Property -> parameter, dots for nesting (`EnableDnsSupport.Value`)."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Parameter -> value or template."""


@dataclass(frozen=True)
class Modify(Call):
    """A change of some properties after creation."""

    on_create: bool = False
    """The create operation does not take these properties: they are set right after it."""
    whole: bool = False
    """The operation replaces the whole setting: every field is sent, changed or not."""
    each: bool = False
    """The operation takes one property a call."""
    clear: Mapping[str, Any] = field(default_factory=dict)
    """What is sent for a property that the program took away (a template may name another); without an entry the
    default is sent, or nothing."""


@dataclass(frozen=True)
class Read:
    """One describing operation; `select` (JMESPath, `{id}` is the id) is the resource's record in its answer."""

    operation: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    select: str = "@"
    fields: Mapping[str, str] = field(default_factory=dict)
    """Property -> JMESPath in the record."""
    absent: tuple[str, ...] = ()
    """Error codes that only mean that these properties are not set."""


@dataclass(frozen=True)
class Tags:
    """How a service tags: `in_create` the parameter of the create operation, the operations for later changes."""

    tag: str = ""
    untag: str = ""
    target: Mapping[str, Any] = field(default_factory=dict)
    in_create: str = ""
    specification: str = ""
    """EC2's resource type in TagSpecifications."""
    tags: str = "Tags"
    keys: str = "TagKeys"
    key_name: str = "Key"
    value_name: str = "Value"
    as_map: bool = False
    whole: bool = False
    """The tag operation replaces all tags, and untag takes no keys."""
    keys_as_tags: bool = False
    read: str = "Tags"
    """JMESPath in the first record, or in the answer of `read_operation`."""
    read_operation: str = ""
    untagged: tuple[str, ...] = ()
    """Error codes of `read_operation` that mean that there are no tags."""


def ec2_tags(resource_type: str) -> Tags:
    """EC2's tagging: TagSpecifications at creation, CreateTags and DeleteTags by id later."""
    return Tags(
        "create_tags",
        "delete_tags",
        {"Resources": ["{id}"]},
        specification=resource_type,
        keys="Tags",
        keys_as_tags=True,
    )


@dataclass(frozen=True)
class AwsType(ResourceType):
    """A live type. A `hook` does what the table cannot say; each is called with the resource's Context."""

    service: str = ""
    create: Call = Call("")
    id_answer: str = ""
    """JMESPath in the create operation's answer."""
    id_form: str = ""
    """Template of an id that is made of properties; also how an imported id is taken apart."""
    import_form: str = ""
    """Template of the id given to an import, where that is not the id (the provider's page says which)."""
    reads: tuple[Read, ...] = ()
    modifies: tuple[Modify, ...] = ()
    delete: Call | None = None
    missing: tuple[str, ...] = ()
    """Error codes that mean that the resource is gone."""
    tags: Tags | None = None
    computed_outputs: Mapping[str, Any] = field(default_factory=dict)
    """Output -> template."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Nested property path -> member of the API's structure, where only the names differ."""
    probe: bool = False
    """The API would silently take a same-named thing over: look first, and refuse."""
    placed: frozenset[str] = frozenset()
    """Inputs that the sandbox cannot follow (the port of a server): the outputs tell what is, and that is no drift."""
    grows: Mapping[str, str] = field(default_factory=dict)
    """Number -> the input up to which the service raises it by itself: what has grown so is no difference."""
    told: frozenset[str] = frozenset()
    """Inputs that the service tells wherever they are set: one that is missing in its answer, somebody took away."""
    settings: frozenset[str] = frozenset()
    """Inputs that only steer the provider (forceDestroy): kept, never sent."""
    volatile: frozenset[str] = frozenset()
    """Outputs that any update changes."""
    hooked: frozenset[str] = frozenset()
    """Inputs that a hook sends."""
    id_of: Callable[[Context], str] | None = None
    """In place of `id_form`."""
    create_hook: Callable[[Context], str] | None = None
    """In place of `create`: makes the thing and returns its id."""
    after_create: Callable[[Context], None] | None = None
    before_update: Callable[[Context, frozenset[str]], None] | None = None
    """Called with the changed properties, before anything is changed: raises ProviderError for what AWS refuses."""
    after_update: Callable[[Context, frozenset[str]], None] | None = None
    """Called with the changed properties, after the modifies."""
    observe: Callable[[Context, dict[str, Any]], None] | None = None
    """Adds to or corrects the properties that the reads found (the second argument, by wire name)."""
    read_hook: Callable[[Context], dict[str, Any] | None] | None = None
    """In place of `reads`: the properties by wire name, None where it is gone."""
    before_delete: Callable[[Context], None] | None = None
    delete_hook: Callable[[Context], None] | None = None
    operations: tuple[str, ...] = ()
    """Operations that the hooks call (a hint, so that the service's model is cut once)."""

    def __post_init__(self) -> None:
        if self.served is None and self.kind is Kind.LIVE:
            sent = {name for call in (self.create, *self.modifies) for name in call.fields}
            served = sent | self.settings | self.hooked | ({"tags"} if self.tags else set()) | {"region"}
            if self.autoname and self.autoname.prefix_property:
                served.add(self.autoname.prefix_property)
            object.__setattr__(self, "served", frozenset(served))

    def operation_names(self) -> frozenset[str]:
        """Every operation that the entry calls."""
        named = {self.create.operation, *(m.operation for m in self.modifies), *(r.operation for r in self.reads)}
        if self.delete:
            named.add(self.delete.operation)
        if self.tags:
            named |= {self.tags.tag, self.tags.untag, self.tags.read_operation}
        return frozenset((named | set(self.operations)) - {""})


def page(path: str) -> str:
    """The provider's page for a type, such as `ec2/vpc`."""
    return f"https://www.pulumi.com/registry/packages/aws/api-docs/{path}/"
