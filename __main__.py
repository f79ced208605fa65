"""The Pulumi program: reads the stack's configuration and runs the one program that it names."""

import pulumi

from errors import FreeholdError
from stacks import configuration, stack_traces
from stacks.preload import import_program
from stacks.settings.platform import PlatformSettings


def main() -> None:
    stack_traces.shorten()
    stack = pulumi.get_stack()
    try:
        settings = configuration.load(configuration.from_engine(), stack)
        # Each program imports the SDKs of its own resources, which takes seconds: never both.
        if isinstance(settings, PlatformSettings):
            import_program("platform", settings.cloud)
            from stacks import platform

            platform.run(settings, stack, configuration.allowed_accounts())
        else:
            import_program("tenant", settings.cloud)
            from stacks import tenant

            tenant.run(settings)
    except FreeholdError as error:
        raise pulumi.RunError(error.line()) from error


main()
