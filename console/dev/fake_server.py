"""A server with one invented child and a fast clock, to build and test the console against.

    python console/dev/fake_server.py --port 8765 [--speed 60] [--hold]
    python console/dev/fake_server.py --fixture > console/src/gallery/fixture.json

`--hold` stops the clock; then `POST /dev/step` moves it by one reading. `POST /dev/drop` closes the live sockets and
refuses new ones until `POST /dev/restore`. `POST /dev/scene/{empty,stale,calm}` shows other states,
`POST /dev/{deliver,expire,reset}` moves the proposals, `POST /dev/lock` asks for a login.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import random
import socket
import sys
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from gemel.server import alerting, team
from gemel.server import schema as s

STATIC = Path(__file__).parents[2] / "src/gemel/server/static"
MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_795_183_200_000  # 2026-11-20T14:00Z
LEVELS = {"0.025": -1.96, "0.1": -1.2816, "0.25": -0.6745, "0.5": 0.0, "0.75": 0.6745, "0.9": 1.2816, "0.975": 1.96}
MEALS = [(7.5, 45.0, 4.2), (10.1, 15.0, 0.0), (11.75, 50.0, 7.6), (15.9, 20.0, 1.0), (19.0, 60.0, 6.0)]
BASAL = [(0.0, 0.55), (3.0, 0.7), (8.0, 0.6), (13.0, 0.45), (18.0, 0.65), (22.0, 0.5)]


def response(elapsed_min: float, peak_min: float) -> float:
    """Return the rate at which a dose acts, per minute: t/p² exp(-t/p)."""
    return elapsed_min / peak_min**2 * math.exp(-elapsed_min / peak_min) if elapsed_min > 0 else 0.0


EFFORT = {"light": 0.4, "medium": 0.9, "hard": 1.6}
SCORES = [
    s.Score(horizon_min=minutes, n=n, rmse=rmse, hold_rmse=hold, mard=mard, crps=crps, cover80=c80, cover95=c95)
    for minutes, n, rmse, hold, mard, crps, c80, c95 in (
        (30, 286, 13.8, 20.9, 7.4, 7.2, 0.83, 0.95),
        (60, 280, 22.5, 34.2, 12.6, 12.1, 0.81, 0.94),
        (120, 268, 33.1, 51.7, 19.8, 18.6, 0.74, 0.91),
    )
]


class Lily:
    """An invented child: glucose follows meals and insulin, with a noise that is the same at every run."""

    def __init__(self) -> None:
        self.now = START
        self.decided: dict[int, dict[str, Any]] = {}
        self.forks: dict[str, s.Suppose] = {}
        self.scene = "usual"
        first = START - 30 * HOUR
        self.meals: list[tuple[int, float]] = []
        self.boluses: list[tuple[int, float]] = []
        self.basal: list[tuple[int, float]] = []
        midnight = first - first % (24 * HOUR)
        for day in range(4):
            for hour, grams, units in MEALS:
                at = midnight + round((24 * day + hour) * HOUR)
                self.meals.append((at, grams))
                if units:
                    self.boluses.append((at - 5 * MINUTE, units))
            self.basal += [(midnight + round((24 * day + hour) * HOUR), rate) for hour, rate in BASAL]
        self.trace = self.run(first, first + 80 * HOUR, random.Random(7))

    def run(
        self, since: int, until: int, rng: random.Random | None, extra: list[tuple[int, float, float]] = [],  # noqa: B006
        value: float = 128.0,
    ) -> dict[int, float]:  # fmt: skip
        """Return glucose every five minutes; *extra* are (time, grams, units) on top."""
        out, drift = {}, 0.0
        doses = [*((at, g, 0.0) for at, g in self.meals), *((at, 0.0, u) for at, u in self.boluses), *extra]
        for at in range(since, until + 1, 5 * MINUTE):
            rate = 0.0
            for when, grams, units in doses:
                elapsed = (at - when) / MINUTE
                if 0 < elapsed < 400:
                    rate += 3.1 * grams * response(elapsed, 28) - 36.0 * units * response(elapsed, 62)
            drift = 0.9 * drift + (rng.gauss(0, 0.75) if rng else 0.0)
            value = max(44.0, value + 5 * rate - 0.022 * (value - 118) + drift)
            out[at] = value
        return out

    def readings(self) -> list[tuple[int, float]]:
        """Return what the sensor has read so far, with a gap."""
        last = self.now - (40 * MINUTE if self.scene == "stale" else 0)
        gap = range(START - 9 * HOUR, START - 8 * HOUR - 20 * MINUTE)
        return [(at, round(v)) for at, v in self.trace.items() if at <= last and at not in gap]

    def ahead(self, hours: float, extra: list[tuple[int, float, float]] = []) -> dict[int, float]:  # noqa: B006
        """Return the course from now without noise."""
        at, value = self.readings()[-1]
        return {t: v for t, v in self.run(at, at + round(hours * HOUR), None, extra, value).items() if t > at}

    def proposals(self) -> list[s.Proposal]:
        """Return one open proposal and some that are over."""
        base: list[dict[str, Any]] = [
            {
                "seq": 412, "agent": "low-guard", "made_at": START - 4 * MINUTE, "title": "12 g carbs now",
                "why": "Insulin from lunch still acts and the afternoon game starts soon: 4 of 10 futures go below "
                "70 mg/dL before 15:30.",
                "action": s.ActionView(lever="carbs", amount=12, unit="g", at=START + 5 * MINUTE),
                "expected": "Chance of a low in the next 2 hours falls from 38 % to 9 %.",
                "expires_at": START + 26 * MINUTE, "may_decide": True, "deciders": ["sarah"],
            },
            {
                "seq": 398, "agent": "basal-tuner", "made_at": START - 50 * MINUTE, "title": "Basal down until 16:00",
                "why": "School sport on Fridays has led to lows on three of the last four.",
                "action": s.ActionView(lever="basal", amount=0.36, unit="U/h", at=START - 45 * MINUTE),
                "expected": "2 % less time below range.", "status": s.Status.DELIVERED,
                "reason": "approved by sarah: as last week",
            },
            {
                "seq": 371, "agent": "bolus-helper", "made_at": START - 3 * HOUR, "title": "Correction of 1.5 U",
                "why": "Above 180 mg/dL for 40 minutes after the snack.",
                "action": s.ActionView(lever="bolus", amount=1.5, unit="U", at=START - 3 * HOUR),
                "expected": "Back in target 25 minutes sooner.", "status": s.Status.REFUSED,
                "reason": "guard: 2.1 U still on board; at most 0.4 U may be added within 2 hours of a bolus",
            },
        ]  # fmt: skip
        return [s.Proposal(**(p | self.decided.get(p["seq"], {}))) for p in base]

    def view(self, hours: float) -> s.View:
        """Return past, now and future."""
        since = self.now - round(hours * HOUR)
        signals = {
            "glucose": s.SignalView(unit="mg/dL", label="Glucose", low=40, high=400, band=(70, 180), primary=True)
        }
        levers = {
            "carbs": s.LeverView(unit="g", label="Meals"),
            "bolus": s.LeverView(unit="U", label="Bolus insulin"),
            "basal": s.LeverView(unit="U/h", label="Basal insulin", holds=True),
        }
        metrics = {
            "time_in_range": s.MetricView(unit="%", label="Time in target", better="higher"),
            "time_below": s.MetricView(unit="%", label="Time below target", better="lower", decimals=1, outweighs=True),
            "peak": s.MetricView(unit="mg/dL", label="Highest"),
        }
        base: dict[str, Any] = {
            "twin": "lily", "label": "Lily", "type": "Person with type 1 diabetes", "now": self.now, "signals": signals,
            "levers": levers, "metrics": metrics, "speed": app.state.speed,
        }  # fmt: skip
        if self.scene == "empty":
            return s.View(**base, readings={"glucose": []}, actions={})
        readings = [p for p in self.readings() if p[0] >= since]
        actions = {
            "carbs": [p for p in self.meals if since <= p[0] <= self.now],
            "bolus": [p for p in self.boluses if since <= p[0] <= self.now],
            "basal": [p for p in self.basal if since - 8 * HOUR <= p[0] <= self.now],
        }
        stale = self.scene == "stale"
        low, silent = "Likely below 70 mg/dL within the hour", "Sensor silent for 40 minutes"
        alerts = [
            s.AlertView(seq=405, at=START - 9 * MINUTE, severity="warning", text=low),
            s.AlertView(seq=360, at=START - 8 * HOUR, severity="info", text=silent, active=False),
        ]
        if stale:
            alerts.insert(0, s.AlertView(seq=420, at=self.now - 25 * MINUTE, severity="urgent",
                                         text="No reading for 40 minutes: check the sensor"))  # fmt: skip
        past = [
            self.past(at, lead * MINUTE)
            for lead in (30, 60, 120)
            for at in self.trace
            if since <= at <= self.now + lead * MINUTE // 2 and at % (15 * MINUTE) == 0
        ]
        return s.View(
            **base, readings={"glucose": readings}, actions=actions,
            forecast=None if stale else self.forecast(),
            forks=[] if stale else [self.fork(f) for f in self.forks.values()],
            proposals=[] if self.scene == "calm" else self.proposals(),
            alerts=[] if self.scene == "calm" else alerts,
            scores=SCORES,
            past_forecasts=past,
            fallback="No reading for 40 minutes, so nothing is forecast. Basal stays on its usual profile."
            if stale else None,
        )  # fmt: skip

    def past(self, at: int, lead: int) -> s.PastForecast:
        """Return what was said *lead* before *at*."""
        rng = random.Random(at + lead)
        sd = 2.6 * math.sqrt(lead / MINUTE)
        median = self.trace[at] + rng.gauss(0, sd)
        happened = round(self.trace[at]) if at <= self.now else None
        return s.PastForecast(
            made_at=at - lead, at=at, median=round(median), low80=round(median - 1.28 * sd),
            high80=round(median + 1.28 * sd), happened=happened,
        )  # fmt: skip

    def forecast(self) -> s.ForecastView:
        """Return the fan: spread grows with the square root of lead time."""
        made_at = self.readings()[-1][0]
        course = self.ahead(4)
        quantiles: dict[str, list[float]] = {
            level: [
                round(max(40.0, v + z * 2.5 * math.sqrt((t - made_at) / MINUTE) * (1.15 if z > 0 else 0.85)), 1)
                for t, v in course.items()
            ]
            for level, z in LEVELS.items()
        }
        return s.ForecastView(
            seq=410, made_at=made_at, signal="glucose", unit="mg/dL", at=list(course), quantiles=quantiles
        )  # type: ignore[arg-type]

    def fork(self, asked: s.Suppose) -> s.ForkView:
        """Return the future under what is supposed."""
        amount = float(asked.values.get("amount", 15))
        at = int(float(asked.values.get("at", self.now)))
        extra = {
            "meal": [(at, amount, 0.0)], "bolus": [(at, 0.0, amount)],
            "sport": [(at, 0.0, EFFORT.get(str(asked.values.get("effort")), 0.9))],
        }[asked.scenario]  # fmt: skip
        course, usual = self.ahead(4, extra), self.ahead(4)
        spread = {t: 2.2 * math.sqrt((t - self.now) / MINUTE + 5) * 1.28 for t in course}

        def metrics(run: dict[int, float]) -> dict[str, float]:
            values = list(run.values())
            inside, below = sum(70 <= v <= 180 for v in values), sum(v < 70 for v in values)
            return {"time_in_range": 100 * inside / len(values), "time_below": 100 * below / len(values),
                    "peak": max(values)}  # fmt: skip

        return s.ForkView(
            name=asked.name, at=list(course), median=[round(v, 1) for v in course.values()],
            low=[round(max(40, v - spread[t]), 1) for t, v in course.items()],
            high=[round(v + spread[t], 1) for t, v in course.items()],
            metrics=metrics(course), usual=metrics(usual),
        )  # fmt: skip

    def why(self, seq: int) -> s.Why:
        """Return the chain of causes of a proposal."""
        readings = [
            s.Why(seq=408 - i, kind="observed/1", at=at, by="cgm", text=f"Glucose {v:.0f} mg/dL")
            for i, (at, v) in enumerate(reversed(self.readings()[-3:]))
        ]
        acted = s.Why(seq=344, kind="acted/1", at=START - 105 * MINUTE, by="pump", text="Bolus insulin 5 U")
        forecast = s.Why(
            seq=410, kind="forecast/1", at=START - 5 * MINUTE, by="gemel",
            text="Glucose 4 hours ahead: median 84, 80 % range 58 to 112 mg/dL at 15:10", causes=[*readings, acted],
        )  # fmt: skip
        grant = s.Why(seq=12, kind="granted/1", at=START - 900 * HOUR, by="sarah", text="low-guard may propose carbs")
        found = next((p for p in self.proposals() if p.seq == seq), None)
        alert = s.Why(seq=405, kind="alert/1", at=START - 9 * MINUTE, by="gemel",
                      text="Likely below 70 mg/dL within the hour", causes=[readings[-1]])  # fmt: skip
        if found is None:
            return alert
        return s.Why(seq=seq, kind="proposed/1", at=found.made_at, by=found.agent, text=found.title,
                     causes=[forecast, alert, grant])  # fmt: skip


SCENARIOS = [
    s.Scenario(name="meal", title="Eat something", fields=[
        s.FieldView(name="amount", label="Carbs", type="number", unit="g", min=1, max=150, step=1, default=15),
        s.FieldView(name="at", label="When", type="time", min=0, max=240, default=10),
    ]),
    s.Scenario(name="bolus", title="Extra insulin", fields=[
        s.FieldView(name="amount", label="Bolus", type="number", unit="U", min=0.1, max=5, step=0.1, default=1),
        s.FieldView(name="at", label="When", type="time", min=0, max=240, default=0),
    ]),
    s.Scenario(name="sport", title="Sport", fields=[
        s.FieldView(name="effort", label="Effort", type="choice", choices=list(EFFORT), default="medium"),
        s.FieldView(name="at", label="Start", type="time", min=0, max=240, default=20),
        s.FieldView(name="minutes", label="For", type="number", unit="min", min=10, max=180, step=5, default=45),
    ]),
]  # fmt: skip


@contextlib.asynccontextmanager
async def clock(app: FastAPI) -> AsyncIterator[None]:
    """Move time on while the server runs."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(300 / app.state.speed)
            lily.now += 5 * MINUTE
            changed()

    task = asyncio.create_task(tick()) if app.state.speed else None
    yield
    if task:
        task.cancel()


app = FastAPI(title="Gemel (fake)", lifespan=clock)
app.state.speed = 0.0
app.state.dropped = False
app.state.locked, app.state.demo = False, True
app.state.version = 0
app.state.live = set()
lily = Lily()


def changed() -> None:
    """Wake every live socket."""
    for queue in app.state.live:
        queue.put_nowait(True)


def failure(status: int, message: str, kind: str, **more: Any) -> HTTPException:
    """Return the error to raise."""
    problem = s.Problem(title=HTTPStatus(status).phrase, status=status, detail=message, kind=kind, **more)
    return HTTPException(status, problem.model_dump(mode="json"))


@app.exception_handler(HTTPException)
async def answer(_: Request, problem: HTTPException) -> JSONResponse:
    """Answer with the one shape of an error."""
    return JSONResponse(problem.detail, problem.status_code)


def known(twin: str) -> None:
    """Raise unless somebody is logged in and *twin* is lily."""
    if app.state.locked:
        raise failure(401, "log in, or send a token", "login")
    if twin != "lily":
        raise failure(404, f"unknown twin '{twin}'; possible: lily", "not_found", asked=twin, possible=["lily"])


@app.get("/api/meta")
async def meta() -> s.Meta:
    if app.state.locked:
        raise failure(401, "log in, or send a token", "login")
    return s.Meta(version="0.1.0", actor="sarah", purpose="care", purposes=["care"], demo=app.state.demo)


@app.get("/api/login")
async def doors() -> s.Doors:
    return s.Doors(link=True, provider="login/provider")


@app.post("/api/login", status_code=204)
async def login(body: s.Login) -> None:
    if body.token != "gemel_right":
        raise failure(401, "this token opens nothing: it is unknown, has ended or was revoked", "login")
    app.state.locked = False


@app.post("/api/logout", status_code=204)
async def logout() -> None:
    app.state.locked = True


@app.get("/api/twins")
async def twins() -> list[s.TwinSummary]:
    last = (lily.readings() or [None])[-1]
    return [
        s.TwinSummary(id="lily", type="Person", label="Lily", now=lily.now, latest=last, open_proposals=1, alerts=1)
    ]


@app.get("/api/twins/{twin}/view")
async def view(twin: str, hours: float = 12) -> s.View:
    known(twin)
    return lily.view(hours)


@app.websocket("/api/twins/{twin}/live")
async def live(socket: WebSocket, twin: str, hours: float = 12) -> None:
    if app.state.dropped:
        await socket.close(1013)
        return
    await socket.accept()
    queue: asyncio.Queue[bool] = asyncio.Queue()
    app.state.live.add(queue)

    async def push() -> None:
        going = True
        while going:
            await socket.send_json(s.Push(view=lily.view(hours)).model_dump(mode="json"))
            going = await queue.get()
        await socket.close(1012)

    pushing = asyncio.create_task(push())
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive_text()
    pushing.cancel()
    app.state.live.discard(queue)


@app.post("/api/twins/{twin}/proposals/{seq}/decision")
async def decide(twin: str, seq: int, body: s.Decide) -> s.Proposal:
    known(twin)
    found = next((p for p in lily.proposals() if p.seq == seq), None)
    if found is None:
        raise failure(404, f"unknown proposal {seq}", "not_found", asked=str(seq))
    if found.status is not s.Status.OPEN:
        raise failure(409, f"proposal {seq} is {found.status} and can no longer be decided", "refused")
    note = f": {body.note}" if body.note else ""
    if body.decision == "reject":
        lily.decided[seq] = {"status": s.Status.REJECTED, "reason": f"rejected by sarah{note}"}
    else:
        lily.decided[seq] = {"status": s.Status.APPROVED, "reason": f"approved by sarah{note}"}
    changed()
    return next(p for p in lily.proposals() if p.seq == seq)


@app.get("/api/twins/{twin}/why/{seq}")
async def why(twin: str, seq: int) -> s.Why:
    known(twin)
    return lily.why(seq)


@app.get("/api/twins/{twin}/scenarios")
async def scenarios(twin: str) -> list[s.Scenario]:
    known(twin)
    return SCENARIOS


@app.post("/api/twins/{twin}/suppose")
async def suppose(twin: str, body: s.Suppose) -> s.ForkView:
    known(twin)
    if body.scenario not in {x.name for x in SCENARIOS}:
        raise failure(404, f"unknown scenario '{body.scenario}'", "not_found", possible=[x.name for x in SCENARIOS])
    lily.forks[body.name] = body
    changed()
    return lily.fork(body)


@app.delete("/api/twins/{twin}/forks/{name}", status_code=204)
async def remove(twin: str, name: str) -> None:
    known(twin)
    if name not in lily.forks:
        raise failure(404, f"unknown fork '{name}'", "not_found", asked=name, possible=list(lily.forks))
    del lily.forks[name]
    changed()


@app.get("/api/notices")
async def notices() -> list[alerting.NoticeView]:
    return []


@app.get("/api/twins/{twin}/plan")
async def plan(twin: str) -> team.PlanView:
    """No care plan: what people of a team see is tested against the real server."""
    known(twin)
    return team.PlanView(settings={}, notes={}, changes=[], reviews=[], may_propose=False, may_decide=False)


@app.post("/dev/{what}")
async def dev(what: str) -> dict[str, str]:
    """Let a test move the world."""
    if what == "step":
        lily.now += 5 * MINUTE
        changed()
    elif what == "drop":
        app.state.dropped = True
        for queue in app.state.live:
            queue.put_nowait(False)
    elif what == "restore":
        app.state.dropped = False
    elif what == "reset":
        app.state.dropped, app.state.locked, app.state.demo = False, False, True
        lily.__init__()  # type: ignore[misc]
        changed()
    elif what == "lock":
        app.state.locked, app.state.demo = True, False
    elif what == "expire":
        lily.decided[412] = {"status": s.Status.EXPIRED}
    elif what == "deliver":
        for entry in lily.decided.values():
            entry["status"] = s.Status.DELIVERED
        changed()
    return {"did": what}


@app.post("/dev/scene/{name}")
async def scene(name: str) -> dict[str, str]:
    """Show another state."""
    lily.scene = name
    changed()
    return {"did": name}


if STATIC.is_dir():
    app.mount("/", StaticFiles(directory=STATIC, html=True))


def fixture() -> str:
    """Return what the gallery shows: a view with two forks, the causes of its proposal, the scenarios."""
    supposed: list[tuple[str, str, dict[str, float | str]]] = [
        ("12 g carbs now", "meal", {"amount": 12, "at": START}),
        ("Sport, hard", "sport", {"effort": "hard", "at": START + 20 * MINUTE}),
    ]
    for name, scenario, values in supposed:
        lily.forks[name] = s.Suppose(name=name, scenario=scenario, values=values)
    parts: dict[str, list[s.Model]] = {"view": [lily.view(12)], "why": [lily.why(412)], "scenarios": [*SCENARIOS]}
    dumped = {name: [part.model_dump(mode="json") for part in many] for name, many in parts.items()}
    return json.dumps({"view": dumped["view"][0], "why": dumped["why"][0], "scenarios": dumped["scenarios"]}) + "\n"


def main() -> None:
    """Serve, and print the address first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--hold", action="store_true")
    parser.add_argument("--fixture", action="store_true", help="print what the gallery shows")
    options = parser.parse_args()
    if options.fixture:
        sys.stdout.write(fixture())
        return
    app.state.speed = 0.0 if options.hold else options.speed
    listening = socket.create_server(("127.0.0.1", options.port))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=1)).run(
        [listening]
    )


if __name__ == "__main__":
    main()
