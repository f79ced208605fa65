"""Any history of asking, claiming, dying, ending late: the queue keeps its promises against a real Postgres server."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from fleet.operations import OPERATIONS, Kind, State
from fleet.queue import BUILDS, Claim, LeaseLost, Queue
from fleet.registry import TENANTS
from tests.fleet.samples import CELL, add_tenants, ask

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

NAMES = ("acme", "beta", "zeta")
KINDS = (Kind.CREATE, Kind.UPDATE, Kind.SUSPEND, Kind.RESUME, Kind.ROTATE, Kind.DELETE)


@dataclass
class Asked:
    """What the test knows of an operation."""

    tenant: str
    kind: Kind
    number: int
    state: State = State.QUEUED
    due: bool = True


class Histories(RuleBasedStateMachine):
    """Compares the table with a model of a page."""

    def __init__(self, database: sa.Engine, as_runner: sa.Engine) -> None:
        super().__init__()
        self.database, self.queue = database, Queue(as_runner)
        with database.begin() as connection:
            connection.execute(sa.delete(OPERATIONS))
            connection.execute(sa.delete(TENANTS))
        add_tenants(database, *NAMES)
        self.asked: dict[uuid.UUID, Asked] = {}
        # In the order of the claims, which a history that is run again has too; ids are drawn anew.
        self.held: dict[uuid.UUID, Claim] = {}
        self.expired: set[uuid.UUID] = set()
        self.lost: list[Claim] = []

    @rule(tenant=st.sampled_from(NAMES), kind=st.sampled_from(KINDS), key=st.integers(0, 40))
    def ask(self, tenant: str, kind: Kind, key: int) -> None:
        made = ask(self.database, tenant, kind, f"{tenant} {kind} {key}")
        self.asked.setdefault(made.id, Asked(tenant, kind, made.number))

    @rule(holder=st.sampled_from(("one", "two")))
    def claim(self, holder: str) -> None:
        runnable = {identity for identity in self.asked if self.runnable(identity)}
        found = self.queue.claim(CELL, holder, 3600)
        assert (found is None) == (not runnable)
        if found is None:
            return
        identity = found.operation.id
        assert identity in runnable
        if identity in self.held:
            self.lost.append(self.held[identity])
        self.expired.discard(identity)
        self.held[identity] = found
        own = self.asked[identity]
        own.state = State.RUNNING
        waiting = [one for one in self.of(own.tenant) if one.state is State.QUEUED]
        if own.kind is Kind.DELETE:
            for one in waiting:
                if one.number < own.number:
                    one.state = State.CANCELLED

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        identity = data.draw(st.sampled_from(list(self.held)))
        self.expired.add(identity)
        past = sa.func.now() - sa.text("interval '1 second'")
        with self.database.begin() as connection:
            connection.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == identity).values(lease_until=past))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), end=st.sampled_from(("succeed", "fail", "retry", "hand back", "renew")))
    def end(self, data: st.DataObject, end: str) -> None:
        identity = data.draw(st.sampled_from(list(self.held)))
        claimed = self.held[identity]
        self.finish(claimed, end)
        own = self.asked[identity]
        if end == "renew":
            self.expired.discard(identity)
            return
        self.lost.append(self.held.pop(identity))
        self.expired.discard(identity)
        covered = [one for key, one in self.asked.items() if key in claimed.covers and one.state is State.QUEUED]
        assert all(one.tenant == own.tenant and one.kind in BUILDS for one in covered)
        if end in ("succeed", "fail"):
            for one in (own, *covered):
                one.state = State.SUCCEEDED if end == "succeed" else State.FAILED
        else:
            own.state = State.QUEUED
            for one in (own, *covered) if end == "retry" else ():
                one.due = False

    @precondition(lambda self: self.lost)
    @rule(data=st.data(), end=st.sampled_from(("succeed", "fail", "retry", "hand back", "renew")))
    def end_what_was_lost(self, data: st.DataObject, end: str) -> None:
        with pytest.raises(LeaseLost):
            self.finish(data.draw(st.sampled_from(self.lost)), end)

    @rule()
    def time_passes(self) -> None:
        with self.database.begin() as connection:
            connection.execute(sa.update(OPERATIONS).values(not_before=sa.func.now()))
        for one in self.asked.values():
            one.due = True

    @invariant()
    def as_the_model_says(self) -> None:
        with self.database.connect() as connection:
            rows = connection.execute(sa.select(OPERATIONS.c.id, OPERATIONS.c.tenant, OPERATIONS.c.state)).all()
        assert {row.id: row.state for row in rows} == {key: one.state for key, one in self.asked.items()}
        running = [row.tenant for row in rows if row.state == State.RUNNING]
        assert len(running) == len(set(running))

    def finish(self, claimed: Claim, end: str) -> None:
        def nothing(connection: sa.Connection) -> None:
            return None

        if end == "succeed":
            self.queue.succeed(claimed, {}, nothing)
        elif end == "fail":
            self.queue.fail(claimed, "no", nothing)
        elif end == "retry":
            self.queue.retry(claimed, "no", 3600, nothing)
        elif end == "hand back":
            self.queue.hand_back(claimed)
        else:
            self.queue.renew(claimed, 3600)

    def of(self, tenant: str) -> list[Asked]:
        return [one for one in self.asked.values() if one.tenant == tenant]

    def runnable(self, identity: uuid.UUID) -> bool:
        own = self.asked[identity]
        if own.state is State.RUNNING:
            return identity in self.expired
        others = [one for one in self.of(own.tenant) if one is not own]
        if own.state is not State.QUEUED or not own.due or any(one.state is State.RUNNING for one in others):
            return False
        earlier = [one for one in others if one.state is State.QUEUED and one.number < own.number]
        if own.kind is Kind.DELETE:
            return True
        return all(one.kind in BUILDS and own.kind in BUILDS for one in earlier)


def test_any_history(database: sa.Engine, as_runner: sa.Engine) -> None:
    class Here(Histories):
        def __init__(self) -> None:
            super().__init__(database, as_runner)

    checks = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Here, settings=checks)
