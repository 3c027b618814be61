package file

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"os"
)

// pages reads the leaf pages of a bbolt file without bbolt and without its tree. It returns the records of each page
// that looks like a leaf page, in any part of a file. A record counts only if its checksum is right.
//
// The layout (bbolt's internal/common, little-endian as on every gateway): a page begins with its number (8 bytes),
// flags (2), count (2) and how many more pages it takes (4). On a leaf, count elements follow: flags (4), the distance
// from the element to its key (4), length of the key (4) and of the value, which comes right behind the key (4). A
// small bucket is completely in the value of its parent's element: root page 0 (8), a sequence (8), and a page.
type pages struct {
	f    *os.File
	size int64
}

const (
	pageHeader    = 16
	elementSize   = 16
	bucketHeader  = 16
	flagLeaf      = 0x02
	flagSubBucket = 0x01

	// smallestPage is the step of the search, the page size of nearly every gateway; the larger
	// ones are multiples.
	smallestPage = 4 << 10
	largestPage  = 64 << 10
	// maxPageRun limits how much is read for one page, because its header may be damaged. A sweep of 8,192 samples
	// needs a tenth of this.
	maxPageRun = 1 << 20
)

// openPages opens a file for reading. It fails if the path is no regular file.
func openPages(path string) (*pages, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("no file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &pages{f: f, size: info.Size()}, nil
}

func (p *pages) close() { _ = p.f.Close() } // it was only read

// each calls visit for every element that may be a record, in the order of the file: present records, and old ones that
// bbolt has not overwritten yet. The slices are only valid until visit returns. each ends early with ctx's error. It
// skips an unreadable page.
func (p *pages) each(ctx context.Context, visit func(key, value []byte) error) error {
	buf := make([]byte, maxPageRun)
	for at := int64(0); at < p.size; at += smallestPage {
		if err := ctx.Err(); err != nil {
			return err
		}
		header := buf[:pageHeader]
		if n, err := p.f.ReadAt(header, at); n < pageHeader {
			if errors.Is(err, io.EOF) {
				return nil
			}
			continue
		}
		length := pageLength(header, at)
		if length == 0 {
			continue
		}
		n, _ := p.f.ReadAt(buf[:min(length, maxPageRun)], at) // the part before a fault counts too
		if err := leaf(buf[:n], visit); err != nil {
			return err
		}
	}
	return nil
}

// pageLength returns the length of the page at a place in bytes; 0 if no leaf page begins there. A page has its own
// number, so its place shows the page size.
func pageLength(header []byte, at int64) int64 {
	id := binary.LittleEndian.Uint64(header)
	if binary.LittleEndian.Uint16(header[8:]) != flagLeaf || id == 0 || id > uint64(at) || uint64(at)%id != 0 {
		return 0
	}
	size := uint64(at) / id
	if size < smallestPage || size > largestPage || bits.OnesCount64(size) != 1 {
		return 0
	}
	more := int64(binary.LittleEndian.Uint32(header[12:]))
	return (1 + more) * int64(size)
}

// leaf visits the elements that are completely within a leaf page.
func leaf(page []byte, visit func(key, value []byte) error) error {
	if len(page) < pageHeader {
		return nil
	}
	count := int(binary.LittleEndian.Uint16(page[10:]))
	for i := range count {
		from := pageHeader + i*elementSize
		if from+elementSize > len(page) {
			return nil
		}
		e := page[from:]
		flags := binary.LittleEndian.Uint32(e)
		pos := uint64(binary.LittleEndian.Uint32(e[4:]))
		middle := pos + uint64(binary.LittleEndian.Uint32(e[8:]))
		end := middle + uint64(binary.LittleEndian.Uint32(e[12:]))
		if end > uint64(len(e)) {
			continue
		}
		if err := element(flags, e[pos:middle], e[middle:end], visit); err != nil {
			return err
		}
	}
	return nil
}

// element passes on a record, or the records of a small bucket that is completely here.
func element(flags uint32, key, value []byte, visit func(key, value []byte) error) error {
	if flags&flagSubBucket == 0 {
		return visit(key, value)
	}
	if len(value) < bucketHeader || binary.LittleEndian.Uint64(value) != 0 {
		return nil
	}
	return leaf(value[bucketHeader:], visit)
}
