"""Consent that acts: grants of a subject, and decisions that carry their reason; pure, nothing is ambient."""

from gemel.consent.decision import Decision as Decision
from gemel.consent.decision import Request as Request
from gemel.consent.decision import decide as decide
from gemel.consent.grant import ALL as ALL
from gemel.consent.grant import GRANTED as GRANTED
from gemel.consent.grant import REVOKED as REVOKED
from gemel.consent.grant import VERBS as VERBS
from gemel.consent.grant import Grant as Grant
from gemel.consent.grant import fold as fold
from gemel.consent.grant import grant_body as grant_body
from gemel.consent.grant import revocation_body as revocation_body
from gemel.consent.purposes import PURPOSES as PURPOSES
from gemel.consent.purposes import purpose_iri as purpose_iri
