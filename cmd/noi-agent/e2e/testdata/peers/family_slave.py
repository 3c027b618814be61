"""A line of controllers of one family, as pymodbus 3.0 makes one, for the daemon to be tested against.

    family_slave.py TTY BAUD FAMILY SEED FILE

What each unit id holds is made by images.py, beside it. All of them identify themselves by the family's product code. FILE gets
what should be read out of them, then "ready" is printed. Ends by a signal.
"""
import asyncio
import sys

sys.dont_write_bytecode = True

import images  # noqa: E402
from pymodbus.datastore import ModbusServerContext  # noqa: E402
from pymodbus.device import ModbusDeviceIdentification  # noqa: E402
from pymodbus.server import StartAsyncSerialServer  # noqa: E402
from pymodbus.transaction import ModbusRtuFramer  # noqa: E402


class Controller:
    """The registers of one unit, the same for functions 03 and 04, as the vendor documents them."""

    def __init__(self, phases):
        self.phases = phases
        self.reads = 0

    def validate(self, function, address, count):
        return function in (3, 4) and all(a in self.phases[0] for a in range(address, address + count))

    def getValues(self, function, address, count=1):
        words = self.phases[self.reads % len(self.phases)]
        self.reads += 1
        return [words[a] for a in range(address, address + count)]


async def serve(tty, baud, product, units):
    server = await StartAsyncSerialServer(
        context=ModbusServerContext(slaves={n: Controller(u.phases) for n, u in units.items()}, single=False),
        framer=ModbusRtuFramer,
        identity=ModbusDeviceIdentification(
            info_name={"VendorName": "Morningstar Corp.", "ProductCode": product, "MajorMinorRevision": "v01.04.06"}
        ),
        port=tty,
        baudrate=baud,
        bytesize=8,
        parity="N",
        stopbits=2,
        defer_start=True,
    )
    await server.start()
    if server.transport is None:  # start keeps some errors to itself
        sys.exit("pymodbus did not open " + tty)
    print("ready", flush=True)
    await server.serve_forever()


def main(tty, baud, family, seed, file):
    units = images.units(family, seed)
    with open(file, "w", encoding="utf-8") as f:
        f.write(images.story(units))
    asyncio.run(serve(tty, int(baud), images.product(family, seed), units))


if __name__ == "__main__":
    main(*sys.argv[1:])
