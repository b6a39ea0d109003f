"""The bank: twins, the gate, replicas, forks and proposals."""

from gemel.bank.bank import Bank as Bank
from gemel.bank.bank import wall_clock as wall_clock
from gemel.bank.beliefs import Tell as Tell
from gemel.bank.beliefs import quiet as quiet
from gemel.bank.foresight import Foresight as Foresight
from gemel.bank.foresight import Walk as Walk
from gemel.bank.foresight import Walked as Walked
from gemel.bank.fork import Fork as Fork
from gemel.bank.personal import Fit as Fit
from gemel.bank.proposals import Proposal as Proposal
from gemel.bank.record import Record as Record
from gemel.bank.record import record as record
from gemel.bank.replica import Followed as Followed
from gemel.bank.replica import Replica as Replica
from gemel.bank.rights import Book as Book
from gemel.bank.twin import Loaded as Loaded
from gemel.bank.twin import Twin as Twin
