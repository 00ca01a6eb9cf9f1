package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// corpus is a conversation: the messages of one direction of one connection.
type corpus struct {
	name     string
	messages [][]byte
}

// corpora returns the conversations that are measured, the same in every run.
func corpora() []corpus {
	rng := rand.New(rand.NewPCG(7692, 2015))
	many := func(n int, message func(*rand.Rand, int) []byte) (all [][]byte) {
		for i := range n {
			all = append(all, message(rng, i))
		}
		return all
	}
	return []corpus{
		{"json 100 B", many(3000, smallEvent)},
		{"json 1 KiB", many(1000, order)},
		{"chat", many(3000, chat)},
		{"ticks", many(3000, tick(rng))},
		{"json chat", many(3000, chatEvent)},
		{"log lines", many(3000, logLine)},
		{"html 20-60 KiB", many(40, page)},
		{"html 1 MiB", [][]byte{bytes.Join(many(25, page), nil)}},
		{"random 1 KiB", many(500, noise(1<<10))},
		{"random 64 KiB", many(20, noise(1<<16))},
		{"vehicles", many(3000, vehicles())},
		{"rpc", many(1500, rpc)},
		{"graphql", many(1000, graphql)},
		{"stanzas", many(3000, stanza)},
	}
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

var (
	people = strings.Fields("amara benoit chidi dana elif farid grace hiro ines jonas kavya lars mei nadia omar priya quentin rosa sven tala uma viktor wanda xin yusuf zoe")
	rooms  = strings.Fields("general random ops frontend lobby support design kitchen")
	kinds  = strings.Fields("typing presence read reaction join leave cursor")
	states = strings.Fields("online away busy offline")
)

// smallEvent is a message as web applications send them all day long.
func smallEvent(rng *rand.Rand, i int) []byte {
	seq := 48210 + i
	stamp := 1763800000000 + int64(i)*731 + rng.Int64N(700)
	switch kind := pick(rng, kinds); kind {
	case "presence":
		return fmt.Appendf(nil, `{"type":"presence","seq":%d,"user":"%s","state":"%s","ts":%d}`, seq, pick(rng, people), pick(rng, states), stamp)
	case "cursor":
		return fmt.Appendf(nil, `{"type":"cursor","seq":%d,"user":"%s","doc":"%08x","x":%d,"y":%d,"ts":%d}`, seq, pick(rng, people), 0x5f3a0000+rng.Uint32N(6), rng.IntN(1920), rng.IntN(1080), stamp)
	default:
		return fmt.Appendf(nil, `{"type":"%s","seq":%d,"user":"%s","room":"%s","message":%d,"ts":%d}`, kind, seq, pick(rng, people), pick(rng, rooms), 910000+rng.IntN(400), stamp)
	}
}

// order is a JSON document of about one KiB.
func order(rng *rand.Rand, i int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"id":"%016x","created_at":"2026-11-%02dT%02d:%02d:%02d.%03dZ","customer":{"id":%d,"name":"%s %s","email":"%s%d@example.com","verified":%t},"items":[`,
		rng.Uint64(), 1+i%28, rng.IntN(24), rng.IntN(60), rng.IntN(60), rng.IntN(1000), rng.IntN(100000), pick(rng, people), pick(rng, people), pick(rng, people), rng.IntN(100), rng.IntN(2) == 0)
	for k := range 6 {
		if k > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"%c%c-%05d","title":"%s %s","quantity":%d,"price":%d.%02d,"tags":["%s","%s"]}`,
			'A'+rng.IntN(26), 'A'+rng.IntN(26), rng.IntN(100000), pick(rng, english), pick(rng, english), 1+rng.IntN(9), rng.IntN(500), rng.IntN(100), pick(rng, rooms), pick(rng, english))
	}
	fmt.Fprintf(&b, `],"shipping":{"method":"%s","street":"%d %s street","city":"%s","zip":"%05d"},"total":%d.%02d,"currency":"EUR","status":"%s"}`,
		pick(rng, []string{"standard", "express", "pickup"}), rng.IntN(400), pick(rng, english), pick(rng, people), rng.IntN(100000), rng.IntN(4000), rng.IntN(100), pick(rng, []string{"pending", "paid", "shipped", "cancelled"}))
	return b.Bytes()
}

var (
	english  = strings.Fields("the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part meeting tomorrow please thanks deploy server works again")
	german   = strings.Fields("der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei können schön heute morgen danke grüße später natürlich vielleicht")
	russian  = strings.Fields("и в не на я быть он с что а по это она этот к но они мы весь который из у то за свой что весь год от так о для ты же все тот мочь вы человек такой его сказать только или ещё бы себя один как уже до время если сам когда другой вот говорить наш мой знать стать при чтобы дело жизнь кто первый очень два день её новый рука даже спасибо привет сегодня завтра")
	japanese = strings.Fields("です ます これ それ あれ 今日 明日 会議 ありがとう お願いします 了解 資料 確認 送信 連絡 東京 時間 場所 大丈夫 すみません お疲れ様 よろしく 予定 変更 電話 写真 昨日 仕事 完了 問題 質問 という ください しました ません")
	arabic   = strings.Fields("في من على إلى عن مع هذا هذه ذلك التي الذي كان كانت هل ما لا نعم شكرا اليوم غدا صباح الخير مساء كيف حالك أنا أنت هو هي نحن هم عمل وقت مكان بيت مدرسة كتاب جديد كبير صغير جميل الآن بعد قبل")
)

// chat is one line somebody types, in one of five languages.
func chat(rng *rand.Rand, i int) []byte {
	words, space := english, " "
	switch i / 7 % 5 {
	case 1:
		words = german
	case 2:
		words = russian
	case 3:
		words, space = japanese, ""
	case 4:
		words = arabic
	}
	var b bytes.Buffer
	for k := range 3 + rng.IntN(25) {
		if k > 0 {
			b.WriteString(space)
		}
		b.WriteString(zipf(rng, words))
	}
	b.WriteString(pick(rng, []string{"", ".", "!", "?", " :)", "…"}))
	return b.Bytes()
}

// zipf prefers the words that stand first, as languages do.
func zipf(rng *rand.Rand, words []string) string {
	return words[int(float64(len(words))*rng.Float64()*rng.Float64())]
}

// tick is a market feed: few symbols, prices that wander.
func tick(rng *rand.Rand) func(*rand.Rand, int) []byte {
	symbols := strings.Fields("BTCUSDT ETHUSDT SOLUSDT XRPUSDT ADAUSDT DOGEUSDT EURUSD GBPUSD AAPL MSFT NVDA TSLA")
	prices := make([]float64, len(symbols))
	for i := range prices {
		prices[i] = 100 + 60000*rng.Float64()
	}
	return func(rng *rand.Rand, i int) []byte {
		s := rng.IntN(len(symbols))
		prices[s] *= 1 + (rng.Float64()-0.5)/2000
		p := prices[s]
		return fmt.Appendf(nil, `{"e":"trade","E":%d,"s":"%s","t":%d,"p":"%.2f","q":"%.4f","b":"%.2f","a":"%.2f","m":%t}`,
			1763800000000+int64(i)*37+rng.Int64N(37), symbols[s], 3204880000+i, p, rng.ExpFloat64(), p-0.01*float64(rng.IntN(50)), p+0.01*float64(rng.IntN(50)), rng.IntN(2) == 0)
	}
}

// chatEvent is a line of chat wrapped as chat servers wrap it. It has its own
// source, so that the other conversations stay what they are without it.
func chatEvent(_ *rand.Rand, i int) []byte {
	rng := rand.New(rand.NewPCG(2131, uint64(i)))
	author := rng.IntN(len(people))
	return fmt.Appendf(nil, `{"op":0,"t":"MESSAGE_CREATE","s":%d,"d":{"id":"%d","channel_id":"%d","author":{"id":"%d","username":"%s","bot":%t},"content":"%s","timestamp":"2026-11-25T%02d:%02d:%02d.%06d+00:00","mentions":[],"pinned":false}}`,
		i+1, 1310000000000000000+int64(i)*7340033, 845000000000000000+int64(rng.IntN(9))*7919, 226000000000000000+int64(author)*104729, people[author], rng.IntN(12) == 0,
		chat(rng, i), 8+i/1500%12, i/25%60, i*7%60, rng.IntN(1000000))
}

// logLine is a line of a server's log, as a page shows them while they come. It
// has its own source, too.
func logLine(_ *rand.Rand, i int) []byte {
	rng := rand.New(rand.NewPCG(5424, uint64(i)))
	stamp := fmt.Sprintf("2026-11-25T14:%02d:%02d.%03dZ", i/180%60, i/3%60, rng.IntN(1000))
	switch rng.IntN(5) {
	case 0:
		return fmt.Appendf(nil, "%s WARN  [pool-%d] c.e.orders.RetryPolicy - attempt %d of 5 for order %d failed: timeout after %d ms", stamp, 1+rng.IntN(8), 1+rng.IntN(5), 700000+rng.IntN(90000), 1000+rng.IntN(4000))
	case 1:
		return fmt.Appendf(nil, "%s DEBUG [pool-%d] c.e.cache.Store - evicted %d entries in %d us, %d.%d%% full", stamp, 1+rng.IntN(8), rng.IntN(500), rng.IntN(9000), rng.IntN(100), rng.IntN(10))
	default:
		return fmt.Appendf(nil, "%s INFO  [http-%d] c.e.web.Access - 10.%d.%d.%d %s /api/v2/%s/%d %d %dB %dms", stamp, 1+rng.IntN(16), rng.IntN(4), rng.IntN(256), rng.IntN(256), pick(rng, []string{"GET", "GET", "GET", "POST", "DELETE"}), pick(rng, rooms), rng.IntN(20000), []int{200, 200, 200, 201, 304, 404, 500}[rng.IntN(7)], rng.IntN(30000), rng.IntN(400))
	}
}

// page is an HTML page with navigation, paragraphs and a table.
func page(rng *rand.Rand, i int) []byte {
	var b bytes.Buffer
	words := func(n int) string {
		var w []string
		for range n {
			s := zipf(rng, english)
			if rng.IntN(4) == 0 { // a rarer word
				s += pick(rng, people)[:1+rng.IntN(2)] + pick(rng, rooms)[:1+rng.IntN(3)]
			}
			w = append(w, s)
		}
		return strings.Join(w, " ")
	}
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title>%s</title>\n  <link rel=\"stylesheet\" href=\"/assets/site-%08x.css\">\n</head>\n<body class=\"page page-%d\">\n<nav>\n", words(5), rng.Uint32(), i)
	for _, r := range rooms {
		fmt.Fprintf(&b, "  <a class=\"nav-item\" href=\"/%s/%d\">%s</a>\n", r, rng.IntN(100), r)
	}
	b.WriteString("</nav>\n<main>\n")
	for range 10 + rng.IntN(25) {
		fmt.Fprintf(&b, "<section id=\"s%d\">\n  <h2>%s</h2>\n  <p>%s.</p>\n  <p>%s <a href=\"https://example.com/%s/%d\">%s</a> %s.</p>\n</section>\n",
			rng.IntN(10000), words(4), words(60), words(20), pick(rng, people), rng.IntN(1000), words(2), words(30))
	}
	b.WriteString("<table>\n<thead><tr><th>name</th><th>room</th><th>count</th><th>share</th></tr></thead>\n<tbody>\n")
	for range 60 + rng.IntN(100) {
		fmt.Fprintf(&b, "  <tr><td>%s</td><td>%s</td><td class=\"num\">%d</td><td class=\"num\">%.2f%%</td></tr>\n", pick(rng, people), pick(rng, rooms), rng.IntN(5000), 100*rng.Float64())
	}
	b.WriteString("</tbody>\n</table>\n</main>\n</body>\n</html>\n")
	return b.Bytes()
}

// vehicles is a feed of positions: a few vehicles that go on in their direction.
func vehicles() func(*rand.Rand, int) []byte {
	type vehicle struct{ lat, lon, speed, heading float64 }
	fleet := make([]vehicle, 40)
	return func(rng *rand.Rand, i int) []byte {
		id := rng.IntN(len(fleet))
		v := &fleet[id]
		if v.lat == 0 {
			*v = vehicle{52.3 + rng.Float64()/2, 13.1 + rng.Float64()/2, 30, 360 * rng.Float64()}
		}
		v.lat += (rng.Float64() - 0.4) / 1000
		v.lon += (rng.Float64() - 0.4) / 1000
		v.speed = max(0, v.speed+4*rng.Float64()-2)
		v.heading += 10*rng.Float64() - 5
		return fmt.Appendf(nil, `{"vehicle":"BUS-%03d","lat":%.6f,"lon":%.6f,"speed":%.1f,"heading":%.0f,"at":"2026-11-25T08:%02d:%02d.%03dZ","delay":%d}`,
			100+id, v.lat, v.lon, v.speed, v.heading, i/60%60, i%60, rng.IntN(1000), rng.IntN(9)-2)
	}
}

// rpc is JSON-RPC with answers that are full of hashes.
func rpc(rng *rand.Rand, i int) []byte {
	if rng.IntN(3) == 0 {
		return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"error":{"code":%d,"message":"%s %s %s"}}`, i, -32000-rng.IntN(5), zipf(rng, english), zipf(rng, english), zipf(rng, english))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"jsonrpc":"2.0","id":%d,"result":{"block":"0x%x","parent":"0x%016x%016x","transactions":[`, i, 19_000_000+i, rng.Uint64(), rng.Uint64())
	for k := range 1 + rng.IntN(5) {
		if k > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"hash":"0x%016x%016x","from":"0x%016x","value":"0x%x","gas":%d,"ok":%t}`, rng.Uint64(), rng.Uint64(), 7919*uint64(rng.IntN(50)+1)<<40, rng.Uint32(), 21000+rng.IntN(4)*9000, rng.IntN(20) != 0)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

// graphql is a page of a list, as a query gets it. It has its own source.
func graphql(_ *rand.Rand, i int) []byte {
	rng := rand.New(rand.NewPCG(2015, uint64(i)))
	var b bytes.Buffer
	b.WriteString(`{"data":{"repository":{"issues":{"edges":[`)
	for k := range 1 + rng.IntN(5) {
		if k > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"cursor":"Y3Vyc29yOnYyOpHO%05d","node":{"number":%d,"title":"%s %s %s","state":"%s","author":{"login":"%s"},"comments":{"totalCount":%d},"labels":["%s"],"updatedAt":"2026-11-%02dT%02d:%02d:%02dZ"}}`,
			rng.IntN(100000), 9000+i-k, zipf(rng, english), zipf(rng, english), zipf(rng, english), pick(rng, []string{"OPEN", "CLOSED", "MERGED"}),
			pick(rng, people), rng.IntN(40), pick(rng, rooms), 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60))
	}
	fmt.Fprintf(&b, `],"pageInfo":{"hasNextPage":%t,"endCursor":"Y3Vyc29yOnYyOpHO%05d"}}}},"extensions":{"cost":{"requested":%d}}}`, rng.IntN(3) > 0, rng.IntN(100000), rng.IntN(900))
	return b.Bytes()
}

// stanza is one of XMPP. It has its own source.
func stanza(_ *rand.Rand, i int) []byte {
	rng := rand.New(rand.NewPCG(6120, uint64(i)))
	from := fmt.Sprintf("%s@example.org/%08x", pick(rng, people), 0x9d2c5680*uint32(rng.IntN(20)+1))
	switch rng.IntN(4) {
	case 0:
		return fmt.Appendf(nil, `<presence xmlns="jabber:client" from="%s" to="%s@example.org"><show>%s</show><priority>%d</priority><c xmlns="http://jabber.org/protocol/caps" hash="sha-1" ver="%016x"/></presence>`,
			from, pick(rng, people), pick(rng, states), rng.IntN(10), 0x94d049bb133111eb*uint64(rng.IntN(8)+1))
	case 1:
		return fmt.Appendf(nil, `<iq xmlns="jabber:client" type="result" id="%x" from="%s" to="%s@example.org"/>`, rng.Uint32(), from, pick(rng, people))
	default:
		return fmt.Appendf(nil, `<message xmlns="jabber:client" type="groupchat" id="%08x-%04x" from="%s" to="%s@rooms.example.org"><body>%s</body><stanza-id xmlns="urn:xmpp:sid:0" id="%d" by="%s@rooms.example.org"/></message>`,
			rng.Uint32(), rng.Uint32()&0xffff, from, pick(rng, rooms), chat(rng, i), 1763800000000000+int64(i)*271828, pick(rng, rooms))
	}
}

func noise(n int) func(*rand.Rand, int) []byte {
	return func(rng *rand.Rand, _ int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
}
