#!/usr/bin/perl
# late.pl - late.c in Perl, with the module of libfcgi.
use strict;
use warnings;
use FCGI;
use Time::HiRes 'usleep';

my $request = FCGI::Request();
$| = 1;

while ($request->Accept() >= 0) {
    my $how = $ENV{QUERY_STRING} // '';
    # Unread bytes of a request would end a keep-alive connection.
    1 while read STDIN, my $body, 65536;
    print "Content-Type: text/plain\r\n\r\npid: $$\n\n";
    sleep 1000 while $how eq 'sleep';
    1 while $how eq 'spin';
    kill STOP => $$ if $how eq 'stop';
    while ($how eq 'stream') { print 'x' x 1000; usleep 10000 }
}
