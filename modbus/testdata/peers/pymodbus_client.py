"""A second client of a gateway, as pymodbus 3.0 makes one: it reads until it is ended.

    pymodbus_client.py HOST PORT tcp|rtu UNIT FIRST COUNT

It takes whatever it gets. Prints "asks" with its first request, and "again" with its fourth. It pauses for 20 ms
after each, as a program with a log interval does: beside one that asks without a pause a line never falls silent.
"""

import random
import sys
import time

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer


def ask_on(host, port, mode, unit, first, count):
    framer = ModbusRtuFramer if mode == "rtu" else ModbusSocketFramer
    client = ModbusTcpClient(host, port=int(port), framer=framer, timeout=1)
    number = 0
    while True:
        size = random.choice([1, 2, 8])
        try:
            client.connect()
            client.read_input_registers(random.randrange(first, first + count - size), size, slave=unit)
        except (ModbusException, OSError, ValueError, IndexError):
            client.close()
        number += 1
        time.sleep(0.02)
        if number in (1, 4):
            print("asks" if number == 1 else "again", flush=True)


if __name__ == "__main__":
    ask_on(sys.argv[1], sys.argv[2], sys.argv[3], *map(int, sys.argv[4:]))
