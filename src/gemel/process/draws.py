"""Draws: random numbers that are looked up, not taken in turn, and durations by their quantiles, compiled.

A number is the SplitMix64 output (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195; mixer 13 of Stafford 2011) of a key:
who it is for, at which node, on which visit, for what purpose. So scenarios share all draws that both need, and neither
the order of events nor threads matter.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from gemel.process.memory import accessor, swift

(SERVICE, PATIENCE, BALK, SHARE, AFTER, ROUTE, TEAM, LASTS, ABOUT, GAP, FIRST, FIRST_AGE, PICK, FAIL, REPAIR) = range(
    15
)
"""What a draw is for."""

(FIXED, EXPONENTIAL, UNIFORM, LOGNORMAL, WEIBULL, TABLE, LOGITS) = range(7)
"""How a duration is computed; `LOGITS` is a table of log quantiles over log odds, for those without a closed form."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
REACH, POINTS = 36.0, 2305
"""Log odds that a `LOGITS` table covers to both sides, and its length."""

durations, tables = accessor("durations"), accessor("tables")


@swift
def mix(x):
    """Return 64 bits that each depend on all of *x*."""
    x = (x ^ (x >> _30)) * _A
    x = (x ^ (x >> _27)) * _B
    return x ^ (x >> _31)


@swift
def draw(base, key, visit, purpose):
    """Return a uniform number in (0, 1), neither end included."""
    bits = mix(base + key + np.uint64(visit * 16 + purpose + 1) * GOLDEN)
    return (np.float64(bits >> _11) + 0.5) * (1.0 / 9007199254740992.0)


def key_of(text: str) -> int:
    """Return 64 bits that stand for a name, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@swift
def quantile(w, d, u):
    """Return the quantile of duration *d* at *u*, in ms."""
    own = durations(w)[d]
    kind = own.kind
    if kind == EXPONENTIAL:
        return -own.mean * math.log(1.0 - u)
    if kind == FIXED:
        return own.mean
    if kind == UNIFORM:
        return own.a + own.b * u
    if kind == LOGNORMAL:
        return math.exp(own.a + own.b * normal(u))
    if kind == WEIBULL:
        return own.a * (-math.log(1.0 - u)) ** own.b
    if kind == TABLE:
        return _read(w, own.first, own.count, u * (own.count - 1))
    place = (math.log(u / (1.0 - u)) + REACH) * ((POINTS - 1) / (2 * REACH))
    return math.exp(_read(w, own.first, own.count, place))


@swift
def _read(w, first, count, place):
    at = min(max(int(place), 0), count - 2)
    low, high = tables(w)[first + at], tables(w)[first + at + 1]
    return low + (high - low) * min(max(place - at, 0.0), 1.0)


@swift
def cdf(w, d, ms):
    """Return the probability that duration *d* is at most *ms*."""
    own = durations(w)[d]
    kind = own.kind
    if kind == EXPONENTIAL:
        return -math.expm1(-ms / own.mean) if own.mean > 0 else 1.0
    if kind == FIXED:
        return 1.0 if ms >= own.mean else 0.0
    if kind == UNIFORM:
        return min(max((ms - own.a) / own.b, 0.0), 1.0) if own.b > 0 else (1.0 if ms >= own.a else 0.0)
    if ms <= 0:
        return 0.0
    if kind == LOGNORMAL:
        return 0.5 * math.erfc((own.a - math.log(ms)) / own.b / math.sqrt(2.0))
    if kind == WEIBULL:
        return -math.expm1(-((ms / own.a) ** (1.0 / own.b)))
    if kind == TABLE:
        return _place(w, own.first, own.count, ms) / (own.count - 1)
    odds = _place(w, own.first, own.count, math.log(ms)) * (2 * REACH / (POINTS - 1)) - REACH
    return 1.0 / (1.0 + math.exp(-odds))


@swift
def _place(w, first, count, value):
    """Return where in a rising table a value lies: the last place at most it, and the part of the way to the next."""
    values = tables(w)
    low, high = 0, count - 1
    if value >= values[first + high]:
        return float(high)
    if value < values[first]:
        return 0.0
    while high - low > 1:
        middle = (low + high) // 2
        if values[first + middle] <= value:
            low = middle
        else:
            high = middle
    return low + (value - values[first + low]) / (values[first + high] - values[first + low])


@swift
def rest(w, d, elapsed, u):
    """Return how much longer *d* lasts, ms, given that it has lasted *elapsed*: the quantile of F(e) + (1 - F(e))u, less e.

    What has outlived all that is possible goes on for an exponential time of the same mean, or ends now if it was fixed.
    """
    if elapsed <= 0:
        return quantile(w, d, u)
    own = durations(w)[d]
    if own.kind == EXPONENTIAL:
        return -own.mean * math.log(1.0 - u)
    before = cdf(w, d, elapsed)
    if before >= 1.0 - 1e-12:
        return 0.0 if own.kind == FIXED else -own.mean * math.log(1.0 - u)
    return max(quantile(w, d, before + (1.0 - before) * u) - elapsed, 0.0)


@swift
def normal(p):
    """Return the standard normal quantile (AS 241, Wichura 1988, doi:10.2307/2347330), to 1e-15."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * _ratio(
            r, 2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
            1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.387132872796366608e0,
            5.226495278852854561e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
            5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1,
        )  # fmt: skip
    r = math.sqrt(-math.log(p if q < 0 else 1.0 - p))
    if r <= 5.0:
        found = _ratio(
            r - 1.6, 7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
            1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0,
            1.42343711074968357734e0, 1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
            1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0,
        )  # fmt: skip
    else:
        found = _ratio(
            r - 5.0, 2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
            2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0,
            6.65790464350110377720e0, 2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
            7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1,
        )  # fmt: skip
    return -found if q < 0 else found


@swift
def _ratio(r, a7, a6, a5, a4, a3, a2, a1, a0, b7, b6, b5, b4, b3, b2, b1):
    above = ((((((a7 * r + a6) * r + a5) * r + a4) * r + a3) * r + a2) * r + a1) * r + a0
    return above / (((((((b7 * r + b6) * r + b5) * r + b4) * r + b3) * r + b2) * r + b1) * r + 1.0)


def coded(duration: Any) -> tuple[tuple[float, float, float, int], list[float]]:
    """Return a `Duration` as mean, two constants (ms), kind, and its table if it has one."""
    mean, cv = duration.mean * 1000.0, duration.cv
    if duration.kind == "fixed" or mean == 0 or (cv == 0 and duration.kind != "table"):
        return (mean, 0.0, 0.0, FIXED), []
    if duration.kind == "exponential":
        return (mean, 0.0, 0.0, EXPONENTIAL), []
    if duration.kind == "uniform":
        half = mean * math.sqrt(3) * cv
        return (mean, mean - half, 2 * half, UNIFORM), []
    if duration.kind == "lognormal":
        sigma = math.sqrt(math.log1p(cv**2))
        return (mean, math.log(mean) - sigma**2 / 2, sigma, LOGNORMAL), []
    if duration.kind == "weibull":
        frozen = duration._frozen()
        return (mean, frozen.kwds["scale"] * 1000.0, 1.0 / frozen.args[0], WEIBULL), []
    if duration.kind == "table":
        return (mean, 0.0, 0.0, TABLE), [value * 1000.0 for value in duration.table]
    return (mean, 0.0, 0.0, LOGITS), log_quantiles(duration.cv, mean)


def log_quantiles(cv: float, mean: float) -> list[float]:
    """Return the logs of a gamma distribution's quantiles over equally spaced log odds."""
    from scipy.special import expit, gammainccinv, gammaincinv, gammaln

    odds, shape = np.linspace(-REACH, REACH, POINTS), cv**-2
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(np.where(odds < 0, gammaincinv(shape, expit(odds)), gammainccinv(shape, expit(-odds))))
    low = (np.log(expit(odds)) + gammaln(shape + 1)) / shape  # P(shape, x) ~ x^shape / Γ(shape + 1) where x vanishes
    found = np.where(np.isfinite(found) & (found > -300), found, np.minimum(low, -300.0 if cv > 1 else np.inf))
    rising: list[float] = np.maximum.accumulate(found + math.log(mean * cv**2)).tolist()
    return rising
