"""A Modbus slave as pymodbus 3.0 makes one, for the line to be tested against. TTY is a serial port, or 127.0.0.1:PORT for Modbus TCP.

    pymodbus_slave.py TTY UNIT BAUD FIRST COUNT

Holding and input registers FIRST to FIRST+COUNT-1 hold their function code in the upper four bits and their own address in
the lower twelve; coils and discrete inputs there are the parity of that number. It identifies itself as a charge controller. Prints "ready" when the line is open; ends by a signal.
"""

import asyncio
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
from pymodbus.transaction import ModbusRtuFramer


def image(function, first, count):
    return ModbusSequentialDataBlock(first, [function << 12 | first + i for i in range(count)])


def bits(function, first, count):
    return ModbusSequentialDataBlock(first, [bin(function << 12 | first + i).count("1") % 2 == 1 for i in range(count)])


async def serve(tty, unit, baud, first, count):
    registers = ModbusSlaveContext(
        co=bits(1, first, count),
        di=bits(2, first, count),
        hr=image(3, first, count),
        ir=image(4, first, count),
        zero_mode=True,  # or address 0 on the wire is register 1 of the block
    )
    common = {
        "context": ModbusServerContext(slaves={unit: registers}, single=False),  # single answers to every unit id
        "identity": ModbusDeviceIdentification(
            info_name={"VendorName": "Morningstar Corp.", "ProductCode": "PS-PWM-30M", "MajorMinorRevision": "v01.04.06"}
        ),
        "defer_start": True,
    }
    if ":" in tty:
        host, port = tty.split(":")
        server = await StartAsyncTcpServer(address=(host, int(port)), **common)
        forever = asyncio.create_task(server.serve_forever())
        await server.serving
        print("ready", flush=True)
        await forever
        return
    server = await StartAsyncSerialServer(
        framer=ModbusRtuFramer,
        port=tty,
        baudrate=baud,
        bytesize=8,
        parity="N",
        stopbits=2,
        **common,
    )
    await server.start()
    if server.transport is None:  # start keeps some errors to itself
        sys.exit("pymodbus did not open " + tty)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], *map(int, sys.argv[2:])))
