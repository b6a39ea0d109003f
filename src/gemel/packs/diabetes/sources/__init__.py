"""Where data on a person with diabetes comes from: exports of devices, apps and clinics, told apart by their content."""

from gemel.packs.diabetes.sources.apple_health import apple_health as apple_health
from gemel.packs.diabetes.sources.carelink import carelink as carelink
from gemel.packs.diabetes.sources.clarity import clarity as clarity
from gemel.packs.diabetes.sources.detect import detect as detect
from gemel.packs.diabetes.sources.detect import format_of as format_of
from gemel.packs.diabetes.sources.fhir import fhir as fhir
from gemel.packs.diabetes.sources.libreview import ddatshr as ddatshr
from gemel.packs.diabetes.sources.libreview import libreview as libreview
from gemel.packs.diabetes.sources.open_mhealth import open_mhealth as open_mhealth
from gemel.packs.diabetes.sources.tandem import tandem as tandem
from gemel.packs.diabetes.sources.tidepool import tidepool as tidepool
from gemel.packs.diabetes.sources.uc_ht_t1dm import uc_ht_t1dm as uc_ht_t1dm
from gemel.packs.diabetes.sources.words import UNITS as UNITS
