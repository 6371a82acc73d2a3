#!/usr/bin/ruby
# count.rb - count.c in Ruby, with ruby-fcgi.
require 'fcgi'

FCGI.each do |request|
  body = request.in.read || ''
  request.out.print "Content-Type: text/plain\r\n\r\nbytes: #{body.bytesize}\n"
  request.finish
end
