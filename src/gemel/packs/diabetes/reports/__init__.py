"""Papers about a person with diabetes: the AGP report, a letter to the clinic, error grids of forecasts, FHIR."""

from functools import partial

from gemel.bank.tools import Paper
from gemel.packs.diabetes.reports import agp_page, grids_page, letter
from gemel.packs.diabetes.reports.look import MMOL

PAPERS = (
    Paper("agp", "AGP report, one page, mg/dL", agp_page.make),
    Paper("agp-mmol", "AGP report, one page, mmol/L", partial(agp_page.make, unit=MMOL)),
    Paper("letter", "Letter to the clinic, mg/dL", letter.make),
    Paper("letter-mmol", "Letter to the clinic, mmol/L", partial(letter.make, unit=MMOL)),
    Paper("grids", "Forecasts on the error grids of Clarke and Parkes", grids_page.make),
    Paper(
        "grids-mmol", "Forecasts on the error grids of Clarke and Parkes, mmol/L", partial(grids_page.make, unit=MMOL)
    ),
)
"""Documents about a person's twin; each is written from what its reader may see."""
