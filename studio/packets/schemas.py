"""What a packet of each phase looks like."""

from __future__ import annotations

from pydantic import BaseModel

from studio.packets.phase0 import Phase0Packet
from studio.packets.phase1 import Phase1Packet
from studio.packets.phase2 import Phase2Packet
from studio.packets.phase3 import Phase3Packet

SCHEMAS: dict[int, type[BaseModel]] = {0: Phase0Packet, 1: Phase1Packet, 2: Phase2Packet, 3: Phase3Packet}
