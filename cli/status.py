"""`freehold status`: what there is, from the state, the registry and the running services."""

from __future__ import annotations

from cli.options import CloudOption, EnvironmentArgument, JsonOption, NoColorOption, TargetOption
from cli.output import Screen, show_json
from fleet.targets import Cloud


def status(
    env: EnvironmentArgument = None,
    target: TargetOption = None,
    cloud: CloudOption = Cloud.AWS,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Show ENV's platform and tenants as they are now. Exits 1 where something does not answer as it should."""
    from cli.cell import told_if_lost
    from cli.opening import check_account, open_environment, platform_state
    from cli.summary import collect, show
    from fleet.control_database import control_database_to_read
    from fleet.environments import choose

    cell, chosen = choose(env, target)
    with Screen() as screen:
        environment = open_environment(cell, chosen, screen, start=False)
        state = platform_state(environment)
        contract = environment.contract(state)
        check_account(environment, state, screen)
        assert state is not None  # or it would export no contract
        database = control_database_to_read(contract, environment.engine) if environment.inside_network else None
        with told_if_lost(cell):
            summary = collect(environment, state, contract, database)
    show_json(summary.as_json()) if as_json else show(summary)
    if not summary.ok:
        raise summary.failure(as_json=as_json)
