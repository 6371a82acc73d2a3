-- wrk.lua - prints wrk's result as one line, for contrast.py: requests,
-- errors, microseconds at each percentile.
local percentiles = { 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 97, 98,
	99, 99.5, 99.9 }

done = function(summary, latency, requests)
	local e = summary.errors
	io.write(string.format("RESULT %d %d %d", summary.requests,
		summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout))
	for _, p in ipairs(percentiles) do
		io.write(string.format(" %g=%d", p, latency:percentile(p)))
	end
	io.write("\n")
end
