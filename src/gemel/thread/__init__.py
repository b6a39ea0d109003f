"""The digital thread: append, read, subscribe, prove; encrypted per subject, tamper-evident; SQLite, PostgreSQL, memory."""

from gemel.thread.contract import Appended as Appended
from gemel.thread.contract import Checkpoint as Checkpoint
from gemel.thread.contract import Inclusion as Inclusion
from gemel.thread.contract import Light as Light
from gemel.thread.contract import Listener as Listener
from gemel.thread.contract import Said as Said
from gemel.thread.contract import Thread as Thread
from gemel.thread.contract import Verdict as Verdict
from gemel.thread.memory import MemoryThread as MemoryThread
from gemel.thread.opening import open_thread as open_thread
from gemel.thread.opening import verify_store as verify_store
from gemel.thread.row import Row as Row
from gemel.thread.signature import checkpoint_holds as checkpoint_holds
from gemel.thread.signature import growth_holds as growth_holds
from gemel.thread.signature import inclusion_holds as inclusion_holds
from gemel.thread.signature import signature_holds as signature_holds
from gemel.thread.sqlite import SqliteThread as SqliteThread
