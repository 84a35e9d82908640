package browser_test

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tallest is how much of a page a picture shows, in pixels, and colours in how many. Sixteen need half a
// byte a pixel, so that all pictures together are a few megabytes. Those that README and guide show have more.
const (
	tallest      = 1400
	colours      = 16
	coloursShown = 64
)

// isShown says whether README or guide shows a picture.
func isShown(name string) bool {
	switch name {
	case "tokens-admin-1280-light", "tokens-admin-380-dark", "new-token-made-1280-light", "why-pending-1280-light",
		"team-admin-1280-light", "remove-1280-light", "audit-1280-light":
		return true
	}
	return false
}

// picturesFolder is where they lie for README and guide.
const picturesFolder = "../docs/pictures"

// savePicture writes the whole page as it looks now.
func (p *Person) savePicture(name string) {
	p.t.Helper()
	size, err := chromedp.Call(p.ctx, page.GetLayoutMetrics, cdp.Empty{})
	p.must("measure the page", err)
	content := size.CSSContentSize
	yes := true
	shot, err := chromedp.Call(p.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: &yes,
		Clip:                  &page.Viewport{Width: content.Width, Height: min(content.Height, tallest), Scale: 1},
	})
	p.must("take a picture", err)
	full, err := png.Decode(bytes.NewReader(shot.Data))
	p.must("read the picture", err)
	most := colours
	if isShown(name) {
		most = coloursShown
	}
	var small bytes.Buffer
	best := png.Encoder{CompressionLevel: png.BestCompression}
	p.must("shrink the picture", best.Encode(&small, withPalette(full, most)))
	p.must("save the picture", os.WriteFile(filepath.Join(picturesFolder, name+".png"), small.Bytes(), 0o644))
}

// A shade is a colour, how often it is there, and what stands for it: one of the palette, so far away.
type shade struct {
	color.RGBA
	count, by, far int
}

// withPalette is an image in few colours. The six that are there most often are in the palette; then, again
// and again, the one that matters most: it is there often, and far from all that are in the palette already.
func withPalette(from image.Image, colours int) *image.Paletted {
	all := shades(from)
	to := image.NewPaletted(from.Bounds(), nil)
	for next := 0; len(to.Palette) < min(colours, len(all)); {
		chosen := all[next].RGBA
		to.Palette = append(to.Palette, chosen)
		best := 0.0
		for i := range all {
			s := &all[i]
			if far := distance(s.RGBA, chosen); len(to.Palette) == 1 || far < s.far {
				s.by, s.far = len(to.Palette)-1, far
			}
			if matters := math.Pow(float64(s.count), 0.4) * float64(s.far); matters > best {
				best, next = matters, i
			}
		}
		if len(to.Palette) < min(6, len(all)) {
			next = len(to.Palette)
		}
	}
	place := map[color.RGBA]uint8{}
	for _, s := range all {
		place[s.RGBA] = uint8(s.by)
	}
	b := from.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			to.SetColorIndex(x, y, place[rgba(from, x, y)])
		}
	}
	return to
}

// shades are the colours of an image, the most frequent first.
func shades(from image.Image) []shade {
	counts := map[color.RGBA]int{}
	b := from.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			counts[rgba(from, x, y)]++
		}
	}
	var all []shade
	for c, n := range counts {
		all = append(all, shade{RGBA: c, count: n})
	}
	slices.SortFunc(all, func(a, b shade) int {
		return cmp.Or(b.count-a.count, int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	return all
}

func distance(a, b color.RGBA) int {
	r, g, blue := int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B)
	return r*r + g*g + blue*blue
}

func rgba(from image.Image, x, y int) color.RGBA {
	switch from := from.(type) {
	case *image.RGBA:
		return from.RGBAAt(x, y)
	case *image.NRGBA:
		return color.RGBA(from.NRGBAAt(x, y)) // nothing on a page is seen through
	}
	return color.RGBAModel.Convert(from.At(x, y)).(color.RGBA)
}

func TestPictureKeepsItsColours(t *testing.T) {
	t.Parallel()
	few := image.NewRGBA(image.Rect(0, 0, colours, 1))
	for i := range colours {
		few.Set(i, 0, color.RGBA{uint8(8 * i), 10, 20, 255})
	}
	small := withPalette(few, colours)
	for i := range colours {
		if got, want := rgba(small, i, 0), rgba(few, i, 0); got != want {
			t.Fatalf("pixel %d: %v, want %v", i, got, want)
		}
	}
	many := image.NewRGBA(image.Rect(0, 0, 100, 100))
	for i := range 10_000 {
		many.Set(i%100, i/100, color.RGBA{uint8(i), uint8(i / 40), uint8(i / 7), 255})
	}
	if got := len(withPalette(many, colours).Palette); got != colours {
		t.Errorf("10,000 colours become %d, want %d", got, colours)
	}
}
