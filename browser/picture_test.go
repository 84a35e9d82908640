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

// tallest is how much of a page a picture shows, in pixels, and colours in how many: with these, all
// pictures together are some megabytes.
const (
	tallest = 1100
	colours = 32
)

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
	var small bytes.Buffer
	best := png.Encoder{CompressionLevel: png.BestCompression}
	p.must("shrink the picture", best.Encode(&small, withPalette(full)))
	p.must("save the picture", os.WriteFile(filepath.Join(picturesFolder, name+".png"), small.Bytes(), 0o644))
}

// withPalette is an image in few colours: its own where they suffice, else those that stand for boxes of
// similar ones (median cut).
func withPalette(from image.Image) *image.Paletted {
	counts := map[color.RGBA]int{}
	b := from.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			counts[rgba(from, x, y)]++
		}
	}
	var all []shade
	for c, n := range counts {
		all = append(all, shade{[3]uint8{c.R, c.G, c.B}, n})
	}
	// In an order of their own, so that the same picture has the same palette.
	slices.SortFunc(all, func(a, b shade) int { return slices.Compare(a.rgb[:], b.rgb[:]) })
	place := map[[3]uint8]uint8{}
	var palette color.Palette
	for i, box := range cut(all) {
		mean := usual(box)
		palette = append(palette, color.RGBA{mean[0], mean[1], mean[2], 255})
		for _, s := range box {
			place[s.rgb] = uint8(i)
		}
	}
	to := image.NewPaletted(b, palette)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := rgba(from, x, y)
			to.SetColorIndex(x, y, place[[3]uint8{c.R, c.G, c.B}])
		}
	}
	return to
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

// A shade is a colour, and how often it is there.
type shade struct {
	rgb   [3]uint8
	count int
}

func (s shade) weight() int { return 1 + int(math.Sqrt(float64(s.count))) }

// cut divides shades into boxes: again and again the one that matters most, in the middle of its widest
// channel. What is there a hundred times as often matters ten times as much, so that the green of a word
// keeps its place beside the grey of all others.
func cut(all []shade) [][]shade {
	boxes := [][]shade{all}
	for len(boxes) < colours {
		worst, most, channel := -1, 0, 0
		for i, box := range boxes {
			if c, width, weight := widest(box); width*weight > most {
				worst, most, channel = i, width*weight, c
			}
		}
		if worst < 0 {
			break
		}
		box := boxes[worst]
		slices.SortStableFunc(box, func(a, b shade) int { return cmp.Compare(a.rgb[channel], b.rgb[channel]) })
		_, _, weight := widest(box)
		at, sum := 1, box[0].weight()
		for at < len(box)-1 && sum < weight/2 {
			sum += box[at].weight()
			at++
		}
		boxes[worst] = box[:at]
		boxes = append(boxes, box[at:])
	}
	return boxes
}

func widest(box []shade) (channel, width, weight int) {
	for c := range 3 {
		low, high := uint8(255), uint8(0)
		for _, s := range box {
			low, high = min(low, s.rgb[c]), max(high, s.rgb[c])
		}
		if w := int(high) - int(low); w > width {
			channel, width = c, w
		}
	}
	for _, s := range box {
		weight += s.weight()
	}
	return channel, width, weight
}

// usual is the shade of a box that is there most often: flat areas keep their colour.
func usual(box []shade) [3]uint8 {
	return slices.MaxFunc(box, func(a, b shade) int { return cmp.Compare(a.count, b.count) }).rgb
}

func TestPictureKeepsItsColours(t *testing.T) {
	t.Parallel()
	few := image.NewRGBA(image.Rect(0, 0, colours, 1))
	for i := range colours {
		few.Set(i, 0, color.RGBA{uint8(8 * i), 10, 20, 255})
	}
	small := withPalette(few)
	for i := range colours {
		if got, want := rgba(small, i, 0), rgba(few, i, 0); got != want {
			t.Fatalf("pixel %d: %v, want %v", i, got, want)
		}
	}
	many := image.NewRGBA(image.Rect(0, 0, 100, 100))
	for i := range 10_000 {
		many.Set(i%100, i/100, color.RGBA{uint8(i), uint8(i / 40), uint8(i / 7), 255})
	}
	if got := len(withPalette(many).Palette); got != colours {
		t.Errorf("10,000 colours become %d, want %d", got, colours)
	}
}
