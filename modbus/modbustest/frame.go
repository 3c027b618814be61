package modbustest

// AppendCRC appends the RTU checksum of frame to it, low byte first. It computes bit by bit, as in the text of the
// specification (MODBUS over Serial Line V1.02 §6.2.2).
func AppendCRC(frame []byte) []byte {
	sum := checksum(frame)
	return append(frame, byte(sum), byte(sum>>8))
}

// ValidCRC reports whether frame ends with the checksum of the bytes before.
func ValidCRC(frame []byte) bool {
	n := len(frame) - 2
	return n >= 2 && checksum(frame[:n]) == uint16(frame[n])|uint16(frame[n+1])<<8
}

func checksum(p []byte) uint16 {
	sum := uint16(0xFFFF)
	for _, b := range p {
		sum ^= uint16(b)
		for range 8 {
			carry := sum & 1
			sum >>= 1
			if carry != 0 {
				sum ^= 0xA001
			}
		}
	}
	return sum
}

// requestSize returns the length of the request that begins with p; 0 when p is too short to show it.
func requestSize(p []byte) int {
	if len(p) < 2 {
		return 0
	}
	switch p[1] {
	case 0x01, 0x02, 0x03, 0x04, 0x05, 0x06:
		return 8
	case 0x11:
		return 4
	case 0x2B:
		return 7
	default:
		return 0
	}
}

// wholeRequest reports whether p is a whole request. A request of a function that this package does not know ends
// where the checksum is right.
func wholeRequest(p []byte) bool {
	if size := requestSize(p); size != 0 && len(p) != size {
		return false
	}
	return ValidCRC(p)
}
