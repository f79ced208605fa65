"""The contract of a platform, as a tenant's program reads it.

Apart from `stacks.contract`, so that what reads a contract without a program does not import Pulumi.
"""

from __future__ import annotations

import pulumi

from errors import FreeholdError
from stacks.contract import OUTPUT, PlatformContract, read


def platform_contract(stack: str, *, product: str) -> pulumi.Output[PlatformContract]:
    """The contract of the platform stack `stack` of this project. The program ends in one line where there is none
    that this program can read, or where it is another product's."""
    platform = pulumi.StackReference(f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}")

    async def parse() -> PlatformContract:
        details = await platform.get_output_details(OUTPUT)
        try:
            return read(stack, details.value, product=product)
        except FreeholdError as error:
            raise pulumi.RunError(error.line()) from error

    # Read outside of any `apply`, so that the output does not depend on the reference as a resource: its id is
    # unknown in a preview, and with it all that is looked up by what the contract says.
    return pulumi.Output.from_input(parse())
