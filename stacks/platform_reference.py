"""The contract of a platform, as a tenant's program reads it.

Apart from `stacks.contract`, so that what reads a contract without a program does not import Pulumi.
"""

from __future__ import annotations

import pulumi

from errors import FreeholdError, UsageError
from stacks.contract import OUTPUT, PlatformContract, read


def platform_contract(stack: str, *, product: str, region: str | None = None) -> pulumi.Output[PlatformContract]:
    """The contract of the platform stack `stack` of this project. The program ends in one line where there is none
    that this program can read, where it is another product's, or where it is not in `region` (None: any will do), which
    is where the tenant's data has to stay."""
    platform = pulumi.StackReference(f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}")

    async def parse() -> PlatformContract:
        details = await platform.get_output_details(OUTPUT)
        try:
            known = read(stack, details.value, product=product)
            if region not in (None, known.region):
                raise UsageError(
                    f"cell {stack} is in {known.region}, and the tenant's region is {region}",
                    where="freehold:tenant.region",
                    mend=f"give the tenant a cell in {region}, or leave region out",
                )
            return known
        except FreeholdError as error:
            raise pulumi.RunError(error.line()) from error

    # Read outside of any `apply`, so that the output does not depend on the reference as a resource: its id is
    # unknown in a preview, and with it all that is looked up by what the contract says.
    return pulumi.Output.from_input(parse())
