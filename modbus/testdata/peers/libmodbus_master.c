/*
 * A bare Modbus RTU master as libmodbus makes one, to compare speeds with.
 *
 *     libmodbus_master TTY UNIT BAUD FUNCTION ADDRESS COUNT [FUNCTION ADDRESS COUNT ...]
 *
 * 8N2. It does the reads in turn, back to back with the silence that the specification asks for, until it is ended.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <modbus.h>

static int fail(const char *doing)
{
	fprintf(stderr, "%s: %s\n", doing, modbus_strerror(errno));
	return 1;
}

/* read_one does one read, which begins at args. */
static int read_one(modbus_t *line, char **args)
{
	uint16_t registers[MODBUS_MAX_READ_REGISTERS];
	int address = atoi(args[1]), count = atoi(args[2]);

	if (atoi(args[0]) == 3)
		return modbus_read_registers(line, address, count, registers);
	return modbus_read_input_registers(line, address, count, registers);
}

/* again brings the line in step. */
static void again(modbus_t *line)
{
	struct timespec half_a_second = { 0, 500000000 };

	nanosleep(&half_a_second, NULL);
	modbus_flush(line);
}

int main(int argc, char **argv)
{
	if (argc < 7)
		return fail("usage");
	int baud = atoi(argv[3]);
	/* t3.5: 3.5 characters of 11 bits, above 19200 baud 1.75 ms */
	struct timespec silence = { 0, baud > 19200 ? 1750000 : 38500000000LL / baud };
	modbus_t *line = modbus_new_rtu(argv[1], baud, 'N', 8, 2);

	if (line == NULL || modbus_set_slave(line, atoi(argv[2])) < 0)
		return fail("set up");
	modbus_set_response_timeout(line, 1, 0);
	if (modbus_connect(line) < 0)
		return fail("open");
	again(line); /* the program before may have left a reply on its way */
	for (int failed = 0;;)
		for (int i = 4; i + 2 < argc; i += 3) {
			if (read_one(line, argv + i) < 0) {
				if (++failed > 20)
					return fail("read");
				again(line);
			}
			nanosleep(&silence, NULL);
		}
}
