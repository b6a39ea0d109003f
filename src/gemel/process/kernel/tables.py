"""Tables: how compiled code finds each table, by an accessor of its name."""

from __future__ import annotations

from gemel.process.memory import accessor

globe, tokens, cases, stations = accessor("globe"), accessor("tokens"), accessor("cases"), accessor("stations")
pools, teams, classes, nodes = accessor("pools"), accessor("teams"), accessor("classes"), accessor("nodes")
rules, tests, attributes, heap = accessor("rules"), accessor("tests"), accessor("attributes"), accessor("heap")
steps, controls, todo, visits, rows = (
    accessor("steps"), accessor("controls"), accessor("todo"), accessor("visits"), accessor("rows")
)  # fmt: skip
needs, users, targets, weights, options = (
    accessor("needs"), accessor("users"), accessor("targets"), accessor("weights"), accessor("options")
)  # fmt: skip
service, patience, about, times, joined = (
    accessor("service"), accessor("patience"), accessor("about"), accessor("times"), accessor("joined")
)  # fmt: skip
starts, first_held, first_stood, first_tallies, first_aways = (
    accessor("starts"), accessor("first_held"), accessor("first_stood"), accessor("first_tallies"), accessor("first_aways")
)  # fmt: skip
first_about, first_arrivals, first_change, failures, elapsed = (
    accessor("first_about"), accessor("first_arrivals"), accessor("first_change"), accessor("failures"), accessor("elapsed")
)  # fmt: skip
held, stood, tallies, end_aways, end_about = (
    accessor("held"), accessor("stood"), accessor("tallies"), accessor("end_aways"), accessor("end_about")
)  # fmt: skip
end_arrivals, end_change, end_failures, ordering, usual_weights = (
    accessor("end_arrivals"), accessor("end_change"), accessor("end_failures"), accessor("ordering"), accessor("usual_weights")
)  # fmt: skip
settings, scales, gauges, ticks, has = (
    accessor("settings"), accessor("scales"), accessor("gauges"), accessor("ticks"), accessor("has")
)  # fmt: skip
