// Checks one published log with the code of the Go checksum database, golang.org/x/mod/sumdb, which
// nobody of us wrote: check_log DIR.
//
// It prints the proofs that it made, one a line, so that they can be compared with ours:
// "record N HASH..." that entry N is in the log, "tree N HASH..." that the log continues its first N
// entries; hashes in hexadecimal.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}

func require(holds bool, what string, about ...interface{}) {
	if !holds {
		must(fmt.Errorf(what, about...))
	}
}

// path is a tile's in C2SP tlog-tiles, which leaves out the height and names entries otherwise.
func path(tile tlog.Tile) string {
	name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(name, "tile/data/", "tile/entries/", 1)
}

// directory is a published log as a tlog.TileReader.
type directory string

func (d directory) Height() int                          { return height }
func (d directory) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (d directory) read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(string(d), name))
	must(err)
	return data
}

func (d directory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		data = append(data, d.read(path(tile)))
	}
	return data, nil
}

// stored are all hashes of a tree in the order of Go's storage.
type stored []tlog.Hash

func (s *stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, index := range indexes {
		hashes = append(hashes, (*s)[index])
	}
	return hashes, nil
}

// head opens the checkpoint with the verifier key that lies beside it.
func (d directory) head() tlog.Tree {
	verifier, err := note.NewVerifier(strings.TrimSuffix(string(d.read("vkey")), "\n"))
	must(err)
	opened, err := note.Open(d.read("checkpoint"), note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	require(len(lines) == 4 && lines[0] == verifier.Name(), "not a checkpoint: %q", opened.Text)
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: root}
}

// hashes stores the hashes of all entries.
func (d directory) hashes(size int64) *stored {
	all := new(stored)
	for first := int64(0); first < size; first += 1 << height {
		width := size - first
		if width > 1<<height {
			width = 1 << height
		}
		bundle := d.read(path(tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)}))
		for n := first; n < first+width; n++ {
			require(len(bundle) >= 2, "a bundle ends before entry %d", n)
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			require(len(bundle) >= end, "a bundle ends within entry %d", n)
			added, err := tlog.StoredHashes(n, bundle[2:end], all)
			must(err)
			*all = append(*all, added...)
			bundle = bundle[end:]
		}
		require(len(bundle) == 0, "a bundle goes on after entry %d", first+width-1)
	}
	return all
}

func show(kind string, n int64, hashes []tlog.Hash) {
	fmt.Print(kind, " ", n)
	for _, hash := range hashes {
		fmt.Printf(" %x", hash[:])
	}
	fmt.Println()
}

func main() {
	require(len(os.Args) == 2, "usage: check_log DIR")
	log := directory(os.Args[1])
	tree := log.head()
	all := log.hashes(tree.N)
	root, err := tlog.TreeHash(tree.N, all)
	must(err)
	require(root == tree.Hash, "the entries do not have the root of the checkpoint")

	for _, tile := range tlog.NewTiles(height, 0, tree.N) {
		// The library tells each width that a partial tile might have had; ours are those of our heads.
		here := tree.N>>(height*uint(tile.L)) - tile.N<<height
		if tile.W < 1<<height && int64(tile.W) < here {
			continue
		}
		data, err := tlog.ReadTileData(tile, all)
		must(err)
		require(bytes.Equal(data, log.read(path(tile))), "%s is not what the entries say", path(tile))
	}

	// Proofs from the tiles, which this reader authenticates, checked against the entries.
	tiles := tlog.TileHashReader(tree, log)
	for n := int64(0); n < tree.N; n += 1 + tree.N/50 {
		hashes, err := all.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		must(err)
		record, err := tlog.ProveRecord(tree.N, n, tiles)
		must(err)
		must(tlog.CheckRecord(record, tree.N, tree.Hash, n, hashes[0]))
		show("record", n, record)

		older, err := tlog.TreeHash(n+1, all)
		must(err)
		continued, err := tlog.ProveTree(tree.N, n+1, tiles)
		must(err)
		must(tlog.CheckTree(continued, tree.N, tree.Hash, n+1, older))
		show("tree", n+1, continued)
	}
}
