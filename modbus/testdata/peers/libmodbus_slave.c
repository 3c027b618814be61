/*
 * A Modbus RTU slave as libmodbus makes one, for the line to be tested against.
 *
 *     libmodbus_slave TTY UNIT BAUD FIRST COUNT
 *
 * Holding and input registers FIRST to FIRST+COUNT-1 hold their function code in the upper four bits and their own address in the
 * lower twelve. Function 0x11 is what libmodbus makes of it. Prints "ready" when the line is open; ends by a signal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <modbus.h>

static int fail(const char *doing)
{
	fprintf(stderr, "%s: %s\n", doing, modbus_strerror(errno));
	return 1;
}

static modbus_mapping_t *image(int first, int count)
{
	modbus_mapping_t *map = modbus_mapping_new_start_address(0, 0, 0, 0, first, count, first, count);
	if (map == NULL)
		return NULL;
	for (int i = 0; i < count; i++) {
		map->tab_registers[i] = 0x3000 | (first + i);
		map->tab_input_registers[i] = 0x4000 | (first + i);
	}
	return map;
}

/* serve answers until the line fails. */
static int serve(modbus_t *line, modbus_mapping_t *map)
{
	uint8_t request[MODBUS_RTU_MAX_ADU_LENGTH];

	for (;;) {
		int size = modbus_receive(line, request);
		if (size > 0 && modbus_reply(line, request, size, map) < 0)
			return fail("reply");
		if (size < 0 && (errno == EIO || errno == EBADF || errno == ECONNRESET))
			return fail("receive");
		/* 0 is another unit's request; anything else is a request that libmodbus cannot read. */
	}
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: %s TTY UNIT BAUD FIRST COUNT\n", argv[0]);
		return 2;
	}
	modbus_t *line = modbus_new_rtu(argv[1], atoi(argv[3]), 'N', 8, 2);
	if (line == NULL)
		return fail("new line");
	if (modbus_set_slave(line, atoi(argv[2])) < 0)
		return fail("set unit id");
	/* Drop the rest of a request that cannot be read, or it would be taken for the next one's beginning. */
	modbus_set_error_recovery(line, MODBUS_ERROR_RECOVERY_PROTOCOL);
	if (modbus_connect(line) < 0)
		return fail("open");
	modbus_mapping_t *map = image(atoi(argv[4]), atoi(argv[5]));
	if (map == NULL)
		return fail("make the registers");
	puts("ready");
	fflush(stdout);
	return serve(line, map);
}
