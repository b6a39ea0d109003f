"""What data may be used for: short words, each standing for a term of the W3C Data Privacy Vocabulary.

The terms are those of DPV 2.1 (https://w3id.org/dpv) and of its extension for the health sector
(https://w3id.org/dpv/sector/health); each was found in the term lists of that release, `dpv/modules/purposes.csv` and
`sector/health/modules/purposes.csv`. DPV 2.3, whose lists were not at hand, changed what `dpv#ServiceProvision` means.
A grant opens exactly the purpose it names, not what DPV puts below it.
"""

from __future__ import annotations

from functools import lru_cache

from gemel.errors import unknown

DPV = "https://w3id.org/"

PURPOSES = {
    "care": "dpv/sector/health#ServiceProvision",
    "monitoring": "dpv/sector/health#PatientMonitoring",
    "emergency": "dpv/sector/health#EmergencyCareManagement",
    "public-health": "dpv/sector/health#HealthTrendAnalysis",
    "self-management": "dpv#ProvidePersonalisedRecommendations",
    "service": "dpv#ServiceProvision",
    "optimisation": "dpv#ServiceOptimisation",
    "improvement": "dpv#ImproveExistingProductsAndServices",
    "research": "dpv#ScientificResearch",
    "commercial-research": "dpv#CommercialResearch",
    "compliance": "dpv#LegalCompliance",
    "security": "dpv#EnforceSecurity",
    "marketing": "dpv#Marketing",
    "advertising": "dpv#Advertising",
}
"""From the short word to what follows `https://w3id.org/` in the term's address."""


@lru_cache(1024)
def purpose_iri(purpose: str) -> str:
    """Return the address of a purpose given as a short word, as `dpv:Term`, or as an address of DPV already."""
    if purpose in PURPOSES:
        return DPV + PURPOSES[purpose]
    if purpose.startswith("dpv:") and purpose[4:].isalnum():
        return f"{DPV}dpv#{purpose[4:]}"
    address, sign, term = purpose.partition("#")
    if sign and term.isalnum() and (address == f"{DPV}dpv" or address.startswith(f"{DPV}dpv/")):
        return purpose
    raise unknown("purpose", purpose, [*PURPOSES, "dpv:Term", f"{DPV}dpv#Term"])


def purpose_word(purpose: str) -> str:
    """Return the short word of a purpose where it has one, else its address."""
    return _WORDS.get(purpose_iri(purpose), purpose_iri(purpose))


_WORDS = {DPV + term: word for word, term in PURPOSES.items()}
